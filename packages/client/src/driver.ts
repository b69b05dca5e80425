import {
  agreementOf,
  ClientSession,
  offerOf,
  sizeOf,
  type ClientOutput,
  type ErrorKind,
  type Hint,
  type Payload,
  type TransportId,
} from '@holdfast/protocol';
import type { Settings } from './options.js';
import type { Transport } from './transport.js';

/** The longest delay of a timer; beyond it platforms fire at once. */
const TIMER_MS_MAX = 2_147_483_647;

/** What concerns the application, and not the transports. */
export type Happening = Exclude<ClientOutput, { type: 'dial' | 'transmit' | 'hangup' | 'shut' }>;
type Dialling = Extract<ClientOutput, { type: 'dial' }>;

export interface DriverOptions {
  readonly machine: ClientSession;
  readonly settings: Settings;
  /** What the application offers. */
  readonly protocols: readonly string[];
  readonly urlOf: (session: string | undefined) => string;
  /** Told of everything in order, and never while a method of the driver is on the stack, as events of the platform come. */
  readonly tell: (happening: Happening) => void;
}

/** Runs a {@link ClientSession}: does what it puts out, and tells it of transports and of time. */
export class Driver {
  readonly #options: DriverOptions;
  readonly #machine: ClientSession;
  readonly #transports = new Map<TransportId, Transport>();
  #commanding = false;
  #draining = false;
  #timer: unknown;
  #timerMs = Infinity;
  /** What the platform's constructor threw. */
  #thrown: { readonly error: unknown } | undefined;

  constructor(options: DriverOptions) {
    this.#options = options;
    this.#machine = options.machine;
  }

  transport(id: TransportId): Transport | undefined {
    return this.#transports.get(id);
  }

  /** Bytes that were sent and have not left the process. */
  get bufferedBytes(): number {
    let bytes = this.#machine.bufferedBytes;
    for (const transport of this.#transports.values()) bytes += transport.bufferedAmount;
    return bytes;
  }

  // ----------------------------------------------------------------------------------------------------------- commands

  /** Throws what the platform throws on the first attempt: a page on https may not use ws. */
  connect(): void {
    this.#command((nowMs) => this.#machine.connect(nowMs));
    if (!this.#thrown) return;
    this.#command((nowMs) => this.#machine.close(1006, '', nowMs));
    throw this.#thrown.error;
  }

  /** Why a message of so many bytes would not be accepted, with others still to come before it. */
  refusal(bytes: number, ahead: { readonly bytes: number; readonly length: number }): ErrorKind | undefined {
    const plainBytes = this.#machine.state === 'plain' ? this.bufferedBytes : 0;
    return this.#machine.refusal(bytes, ahead.bytes + plainBytes, ahead.length);
  }

  send(payload: Payload): ErrorKind | undefined {
    // The machine knows what it holds of a session; what a plain transport holds, only the transport knows.
    const refusal =
      this.#machine.state === 'plain' ? this.#machine.refusal(sizeOf(payload.data), this.bufferedBytes) : undefined;
    return refusal ?? this.#command((nowMs) => this.#machine.send(payload, nowMs));
  }

  close(code: number, reason: string): void {
    this.#command((nowMs) => this.#machine.close(code, reason, nowMs));
  }

  hint(hint: Hint): void {
    this.#handle((nowMs) => this.#machine.handleHint(hint, nowMs));
  }

  // ----------------------------------------------------------------------------------------------------------- draining

  #command<T>(command: (nowMs: number) => T): T {
    const outer = this.#commanding;
    this.#commanding = true;
    try {
      return this.#handle(command);
    } finally {
      this.#commanding = outer;
    }
  }

  #handle<T>(handler: (nowMs: number) => T): T {
    const result = handler(this.#options.settings.clock.now());
    // A listener of the application has called us: the loop below is on the stack, and goes on when the listener returns.
    if (this.#draining) return result;
    this.#draining = true;
    try {
      for (let output = this.#machine.poll(); output; output = this.#machine.poll()) this.#perform(output);
    } finally {
      this.#draining = false;
    }
    this.#arm();
    return result;
  }

  #perform(output: ClientOutput): void {
    switch (output.type) {
      case 'dial':
        return this.#dial(output);
      case 'transmit':
        return this.#transports.get(output.transport)?.send(output.data);
      case 'shut':
        return this.#transports.get(output.transport)?.close(output.code, output.reason);
      case 'hangup': {
        const transport = this.#transports.get(output.transport);
        this.#transports.delete(output.transport);
        return transport?.abandon(output.code, output.reason);
      }
      default:
        return this.#tell(output);
    }
  }

  #tell(happening: Happening): void {
    const { tell, settings } = this.#options;
    // What a command of the application leads to, the application hears after the command has returned.
    if (this.#commanding) settings.clock.setTimeout(() => tell(happening), 0);
    else tell(happening);
  }

  // --------------------------------------------------------------------------------------------------------- transports

  #dial({ transport: id, offer, session }: Dialling): void {
    const { settings, protocols, urlOf } = this.#options;
    const url = urlOf(settings.sessionInUrl ? session : undefined);
    const lost = (code: number, reason: string, retryMs?: number): void => {
      this.#transports.delete(id);
      this.#handle((nowMs) => this.#machine.handleLost(id, code, reason, nowMs, retryMs));
    };
    try {
      const transport = settings.dial(url, offer === 'plain' ? [...protocols] : offerOf(protocols), {
        opened: () =>
          this.#handle((nowMs) => this.#machine.handleOpen(id, agreementOf(transport.protocol).holdfast, nowMs)),
        received: (data, binary) => this.#handle((nowMs) => this.#machine.handleData(id, data, binary, nowMs)),
        lost,
        refusedSubprotocol: () => {
          // Where holdfast.v1 was not even offered, the server has refused the application's own.
          if (offer === 'plain') return lost(1006, 'no subprotocol');
          this.#transports.delete(id);
          this.#handle((nowMs) => this.#machine.handlePlainServer(id, nowMs));
        },
      });
      this.#transports.set(id, transport);
    } catch (error) {
      this.#thrown = { error };
      lost(1006, '');
    }
  }

  // --------------------------------------------------------------------------------------------------------------- time

  /** One timer, for the earliest time that the machine wants. One that is set for earlier is left: it will look again. */
  #arm(): void {
    const { clock } = this.#options.settings;
    const { dueMs } = this.#machine;
    if (dueMs >= this.#timerMs && dueMs !== Infinity) return;
    clock.clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#timerMs = dueMs;
    if (dueMs === Infinity) return;
    const delayMs = Math.min(Math.max(0, Math.ceil(dueMs - clock.now())), TIMER_MS_MAX);
    this.#timer = clock.setTimeout(() => {
      this.#timerMs = Infinity;
      this.#handle((nowMs) => this.#machine.handleTimeout(nowMs));
    }, delayMs);
  }
}
