import {
  agreementOf,
  ClientSession,
  HoldfastError,
  sizeOf,
  type CircuitBreaker,
  type ErrorKind,
  type Payload,
} from '@holdfast/protocol';
import { BlobQueue } from './blob-queue.js';
import { closeArguments, type CloseArguments } from './close-arguments.js';
import { Driver, type Happening } from './driver.js';
import { breakerOf, isLoopback, parseProtocols, parseUrl, urlOf } from './endpoint.js';
import {
  GapEvent,
  MovedEvent,
  RecoveredEvent,
  RecoveringEvent,
  SocketErrorEvent,
  TopicMessageEvent,
} from './events.js';
import { watch } from './lifecycle.js';
import { checkOptions, settle, type Settings, type WebSocketOptions } from './options.js';
import { binaryOf, payloadOf, type Sendable } from './payload.js';
import type { Platform } from './platform.js';
import { SocketTarget } from './socket-target.js';
import type { SocketStatistics } from './statistics.js';

const [CONNECTING, OPEN, CLOSING, CLOSED] = [0, 1, 2, 3] as const;

/**
 * The WebSocket of the WHATWG standard over a session that survives its connections. To the application it stays OPEN while the
 * session recovers. The entries of the package give it a platform.
 */
export abstract class SessionWebSocket extends SocketTarget {
  protected static platform: Platform;

  readonly #url: URL;
  readonly #platform: Platform;
  readonly #settings: Settings;
  readonly #breaker: CircuitBreaker;
  readonly #machine: ClientSession;
  readonly #driver: Driver;
  readonly #blobs: BlobQueue;
  #unwatch: (() => void) | undefined;
  #readyState: 0 | 1 | 2 | 3 = CONNECTING;
  #binaryType: 'blob' | 'arraybuffer' = 'blob';
  #protocol = '';
  #extensions = '';
  #openedMs: number | undefined;
  /** Bytes that were sent after close(), which the standard counts and drops. */
  #droppedBytes = 0;
  #error: unknown;
  /** We ended the session ourselves, because of an error. */
  #failed = false;
  /** What close() was called with; it waits while Blobs are being read, up to a limit. */
  #closeWanted: CloseArguments | undefined;
  #closeTimer: unknown;

  constructor(url: string | URL, protocols?: string | string[], options: WebSocketOptions = {}) {
    super();
    this.#platform = new.target.platform;
    this.#url = parseUrl(url, this.#platform.baseUrl());
    const offered = parseProtocols(protocols);
    const settings = settle(options, this.#platform, this.#url);
    this.#settings = settings;
    this.#breaker = breakerOf(this.#url, settings.breaker);
    this.#machine = new ClientSession({ ...settings, limits: settings, breaker: this.#breaker });
    this.#driver = new Driver({
      machine: this.#machine,
      settings,
      protocols: offered,
      urlOf: (session) => urlOf(this.#url, session),
      tell: (happening) => this.#hear(happening),
    });
    this.#blobs = new BlobQueue(
      (payload) => this.#unqueue(payload),
      (cause) => this.#fail(cause),
    );
    this.#driver.connect();
    this.#watch();
  }

  /** This class with other defaults, for code that takes a constructor of WebSockets and knows no options. */
  static with<T extends typeof SessionWebSocket>(this: T, defaults: WebSocketOptions): T {
    checkOptions(defaults);
    class Configured extends (this as typeof SessionWebSocket) {
      constructor(url: string | URL, protocols?: string | string[], options?: WebSocketOptions) {
        super(url, protocols, { ...defaults, ...options });
      }
    }
    return Configured as unknown as T;
  }

  get url(): string {
    return this.#url.href;
  }

  get readyState(): 0 | 1 | 2 | 3 {
    return this.#readyState;
  }

  /** The application's subprotocol that the server chose; holdfast's own part of it is not shown. */
  get protocol(): string {
    return this.#protocol;
  }

  get extensions(): string {
    return this.#extensions;
  }

  /** Bytes that were sent and are not on the network: what waits for a connection, for the window, or in the transport. */
  get bufferedAmount(): number {
    return this.#driver.bufferedBytes + this.#blobs.bytes + this.#droppedBytes;
  }

  get binaryType(): 'blob' | 'arraybuffer' {
    return this.#binaryType;
  }

  set binaryType(type: 'blob' | 'arraybuffer') {
    if (type === 'blob' || type === 'arraybuffer') this.#binaryType = type;
  }

  get [Symbol.toStringTag](): string {
    return 'WebSocket';
  }

  /**
   * Accepts a message for delivery, whether or not there is a connection now. Throws `InvalidStateError` before `open`, and a
   * `HoldfastError` where the message cannot be accepted: `HF_BUFFER_FULL`, `HF_MESSAGE_TOO_LARGE`. After close() a message is
   * counted in `bufferedAmount` and dropped, as the standard says.
   */
  send(data: Sendable): void {
    if (this.#readyState === CONNECTING) throw new DOMException('Still in CONNECTING state.', 'InvalidStateError');
    const message = payloadOf(data);
    const isPayload = 'binary' in message;
    if (isPayload && this.#readyState === OPEN && this.#blobs.length === 0) return raise(this.#driver.send(message));
    const bytes = isPayload ? sizeOf(message.data) : message.size;
    if (this.#readyState !== OPEN) {
      this.#droppedBytes += bytes;
      return undefined;
    }
    // Judged now, so that it is certain to be accepted when its turn comes.
    raise(this.#driver.refusal(bytes, this.#blobs));
    return this.#blobs.push(message, bytes);
  }

  /** Ends the session, after what was sent before has been delivered, or after `closeMs`. */
  close(code?: number, reason?: string): void {
    const wanted = closeArguments(code, reason);
    if (this.#readyState >= CLOSING) return;
    this.#readyState = CLOSING;
    this.#closeWanted = wanted;
    this.#closeIfRead();
    if (this.#blobs.length > 0) {
      this.#closeTimer = this.#settings.clock.setTimeout(() => this.#fail(undefined), this.#settings.closeMs);
    }
  }

  getStatistics(): SocketStatistics {
    const nowMs = this.#settings.clock.now();
    return {
      ...this.#machine.statistics,
      state: this.#machine.state,
      session: this.#machine.id,
      pod: this.#machine.pod,
      uptimeMs: this.#openedMs === undefined ? 0 : nowMs - this.#openedMs,
      bufferedBytes: this.bufferedAmount,
      environment: this.#settings.environment,
      breaker: this.#breaker.statistics(nowMs),
    };
  }

  // ------------------------------------------------------------------------------------------------------------- inside

  #watch(): void {
    const { lifecycle } = this.#settings;
    if (!lifecycle) return;
    const local = isLoopback(this.#url.hostname);
    // This machine is reached without a network too.
    this.#unwatch = watch(lifecycle, (hint) => (hint === 'offline' && local ? undefined : this.#driver.hint(hint)));
  }

  #hear(happening: Happening): void {
    switch (happening.type) {
      case 'open': {
        const transport = this.#driver.transport(happening.transport);
        this.#protocol = agreementOf(transport?.protocol ?? '').protocol;
        this.#extensions = transport?.extensions ?? '';
        this.#openedMs = this.#settings.clock.now();
        this.#readyState = OPEN;
        this.dispatchEvent(new Event('open'));
        return;
      }
      case 'message':
        return this.#receive(happening, happening.topic);
      case 'recovering':
        this.dispatchEvent(new RecoveringEvent(happening.code, happening.reason));
        return;
      case 'recovered':
        this.#error = undefined;
        this.dispatchEvent(new RecoveredEvent(happening.replayed));
        return;
      case 'moved':
        this.dispatchEvent(new MovedEvent(happening.pod));
        return;
      case 'gap':
        this.dispatchEvent(new GapEvent(happening));
        return;
      case 'error':
        // Told with the close, if there is one: an error that the session survives is none to the application.
        this.#error = new HoldfastError(happening.error, happening.detail);
        return;
      case 'close':
        return this.#closed(happening);
    }
  }

  #receive({ data }: Payload, topic: string | undefined): void {
    // The standard: what comes after close() is not told.
    if (this.#readyState !== OPEN) return;
    const init = {
      data: typeof data === 'string' ? data : binaryOf(data, this.#binaryType),
      origin: this.#url.origin,
    };
    this.dispatchEvent(topic === undefined ? new MessageEvent('message', init) : new TopicMessageEvent(topic, init));
  }

  /** A message that waited behind a Blob. */
  #unqueue(payload: Payload): void {
    const refusal = this.#driver.send(payload);
    if (refusal) this.#fail(new HoldfastError(refusal));
    this.#closeIfRead();
  }

  #closeIfRead(): void {
    if (!this.#closeWanted || this.#blobs.length > 0) return;
    this.#settings.clock.clearTimeout(this.#closeTimer);
    this.#driver.close(this.#closeWanted.code, this.#closeWanted.reason);
  }

  /** Something that was accepted cannot be sent: rather than leave it out in silence, the session ends. */
  #fail(cause: unknown): void {
    if (this.#readyState === CLOSED) return;
    this.#error = cause;
    this.#failed = true;
    this.#readyState = CLOSING;
    this.#driver.close(1011, '');
  }

  #closed({ code, reason, wasClean }: { code: number; reason: string; wasClean: boolean }): void {
    const isClean = wasClean && !this.#failed;
    this.#readyState = CLOSED;
    this.#unwatch?.();
    this.#settings.clock.clearTimeout(this.#closeTimer);
    if (!isClean) this.dispatchEvent(new SocketErrorEvent(this.#error));
    this.dispatchEvent(new this.#platform.CloseEvent('close', { code, reason, wasClean: isClean }));
  }
}

/** The error of a command, thrown. */
function raise(kind: ErrorKind | undefined): void {
  if (kind) throw new HoldfastError(kind);
}
