import { EventEmitter } from 'node:events';
import { errors, HoldfastError } from '@holdfast/protocol';
import type { SessionState } from '@holdfast/store';
import { WebSocket as Ws } from 'ws';
import type { Done, PendingEffect } from './committer.js';
import { toContent, type SendData } from './content.js';
import { SocketEventTarget, type Attribute } from './event-target.js';
import type { Delivery } from './inbound-queue.js';
import type { Loss, PodContext, PodSession, SessionView } from './pod-session.js';
import { SessionData, type Session } from './session.js';
import type { Handler } from './transaction.js';

/** The options of `send`. All but `volatile` are those of `ws`; `compress` and `mask` are the transport's business. */
export interface SendOptions {
  binary?: boolean;
  fin?: boolean;
  compress?: boolean;
  mask?: boolean;
  /** Past the log: for whom is there now, at most once, and not at all when the client is behind. */
  volatile?: boolean;
}

type BinaryType = 'nodebuffer' | 'arraybuffer' | 'fragments';

/** What the server is told of a socket, to tell it on. */
export type SocketNews = 'attached' | 'detached' | Loss;
type Tell = (event: SocketNews, ...args: unknown[]) => void;

/** How long the application waits for a client to hear of a close; the session itself waits on. As long as `ws` does. */
const CLOSE_WAIT_MS = 30_000;

/** The API of a `ws` socket over a session: it stays open while the session has no transport, and closes when the session ends. */
export class SessionSocket extends EventEmitter implements SessionView {
  readonly CONNECTING = Ws.CONNECTING;
  readonly OPEN = Ws.OPEN;
  readonly CLOSING = Ws.CLOSING;
  readonly CLOSED = Ws.CLOSED;
  binaryType: BinaryType = 'nodebuffer';
  readonly extensions = '';
  readonly url = '';
  readonly protocol: string;
  readonly session: Session;
  readonly #session: PodSession;
  readonly #context: PodContext;
  readonly #data: SessionData;
  readonly #report: Tell;
  readonly #events: SocketEventTarget;
  /** A ping of the application is not answered yet. */
  #pinged = false;
  #readyState: 0 | 1 | 2 | 3;
  #fragments: Buffer[] = [];
  #closeTimer: unknown;

  constructor(
    session: PodSession,
    state: SessionState,
    context: PodContext,
    opened: { readonly protocol: string; readonly recovered: boolean; readonly report: Tell },
  ) {
    super();
    const { protocol, recovered, report } = opened;
    this.#report = report;
    this.#session = session;
    this.#context = context;
    this.protocol = protocol;
    this.#readyState = state.closing ? Ws.CLOSING : Ws.OPEN;
    this.#events = new SocketEventTarget(this, this);
    const data = new SessionData(state.data, {
      save: (json) => this.#effect({ type: 'data', ...this.#target, data: json }),
      isHandling: () => session.inbound.busy,
      failed: (error) => session.inbound.fail(error),
    });
    this.#data = data;
    const belong = (user: string | undefined): void => {
      for (const effect of session.belonging(user)) this.#effect(effect);
    };
    this.session = {
      id: session.id,
      recovered,
      resumable: true,
      get data() {
        return data.value;
      },
      set data(value) {
        data.value = value;
      },
      get user() {
        return session.user;
      },
      set user(user) {
        belong(user);
      },
      get attachments() {
        return session.epoch;
      },
      get attached() {
        return session.attached;
      },
    };
    session.view = this;
  }

  get readyState(): 0 | 1 | 2 | 3 {
    return this.#readyState;
  }

  /** Bytes sent that the client has not acknowledged, wherever they wait: for the store, in the log, or in the network. */
  get bufferedAmount(): number {
    return this.#session.pendingBytes + this.#session.backlog.bytes;
  }

  get isPaused(): boolean {
    return this.#session.inbound.paused;
  }

  // ----------------------------------------------------------------------------------------------------------- commands

  send(data: SendData, options?: SendOptions | Done, done?: Done): void {
    const callback = typeof options === 'function' ? options : done;
    const { binary, fin = true, volatile = false } = typeof options === 'object' ? options : {};
    if (this.#readyState !== Ws.OPEN) return notOpen(callback, this.#readyState);
    const content = toContent(data, binary);
    if (!fin || this.#fragments.length > 0)
      return this.#fragment(content.data as Buffer, content.binary, fin, callback);
    if (volatile) {
      this.#session.machine.volatile(content);
      this.#session.run();
      if (callback) queueMicrotask(callback);
      return;
    }
    this.#append(content.data, content.binary, callback);
  }

  /** Follows a topic: everything published to it from now on reaches this client, complete and in order. */
  subscribe(topic: string, done?: Done): void {
    this.#effect(this.#session.subscription(topic, done));
  }

  unsubscribe(topic: string, done?: Done): void {
    this.#effect(this.#session.unsubscription(topic, done));
  }

  /** Messages go to this handler instead of the `message` event, one at a time; what it does with its `tx` commits with the message. */
  handle(handler: Handler): void {
    this.#session.inbound.handler = handler;
  }

  /** Closes the session. The client is told when it has everything that was sent before, also if it must come back for it. */
  close(code?: number, reason?: string | Buffer): void {
    if (this.#readyState !== Ws.OPEN) return;
    // Through its bytes: what they cannot carry, such as half of an emoji, no store could keep either.
    const text = reason === undefined ? '' : Buffer.from(reason as string).toString();
    checkClose(code, text);
    this.#readyState = Ws.CLOSING;
    this.#effect({ type: 'close', ...this.#target, code: code ?? 1005, reason: text });
    this.#closeTimer = this.#context.clock.setTimeout(() => this.handleClosed(1006, ''), CLOSE_WAIT_MS);
  }

  /** Ends the session at once. A client that comes back learns that it has expired. */
  terminate(): void {
    if (this.#readyState === Ws.CLOSED) return;
    this.#readyState = Ws.CLOSING;
    this.#session.end({ code: 1006, reason: '' });
  }

  /** Asks the client. While it is away the session answers: whether it lives is for holdfast to judge, not for a heartbeat. */
  ping(...args: unknown[]): void {
    const done = callbackOf(args);
    if (this.#readyState !== Ws.OPEN) return notOpen(done, this.#readyState);
    this.#pinged = true;
    if (this.#session.attached) {
      this.#session.machine.ping(this.#context.clock.monotonicMs());
      this.#session.run();
    } else {
      queueMicrotask(() => this.#answerPing());
    }
    if (done) queueMicrotask(done);
  }

  /** Nothing to do: the pings of a session are answered by holdfast. */
  pong(...args: unknown[]): void {
    const done = callbackOf(args);
    if (done) queueMicrotask(done);
  }

  pause(): void {
    this.#session.inbound.paused = true;
  }

  resume(): void {
    this.#session.inbound.paused = false;
  }

  #append(data: Uint8Array, binary: boolean, callback?: Done): void {
    const to = this.#session;
    this.#effect({ type: 'send', to, session: to.id, epoch: 0, data, binary, done: callback });
  }

  /** `ws` lets a message be sent in parts; the log takes it whole. */
  #fragment(part: Buffer, binary: boolean, fin: boolean, callback?: Done): void {
    this.#fragments.push(part);
    if (!fin) {
      if (callback) queueMicrotask(callback);
      return;
    }
    const whole = Buffer.concat(this.#fragments);
    this.#fragments = [];
    this.#append(whole, binary, callback);
  }

  #effect(effect: PendingEffect): void {
    const { committer } = this.#context;
    if (this.#session.gone) queueMicrotask(() => committer.settle(effect, new HoldfastError(errors.ENDED)));
    else committer.effect(effect);
  }

  get #target(): { to: PodSession; session: string; epoch: number } {
    return { to: this.#session, session: this.#session.id, epoch: 0 };
  }

  // -------------------------------------------------------------------------------------------------------- SessionView

  handleMessage({ data, binary, n, redelivered }: Delivery): void {
    this.emit('message', this.#shape(data as Buffer), binary, { id: `${this.#session.id}:${n}`, n, redelivered });
    this.#data.flush();
  }

  takeData(): PendingEffect | undefined {
    const json = this.#data.take();
    return json === undefined ? undefined : { type: 'data', ...this.#target, data: json };
  }

  keepData(): void {
    this.#data.keep();
  }

  restoreData(): void {
    this.#data.restore();
  }

  handleAttached(): void {
    this.#announce('attached');
    this.#answerPing();
  }

  handleDetached(code: number, reason: string): void {
    this.#announce('detached', code, Buffer.from(reason));
    this.#answerPing();
  }

  handlePong(): void {
    this.#answerPing();
  }

  handleClosed(code: number, reason: string, why?: Loss): void {
    if (this.#readyState === Ws.CLOSED) return;
    this.#context.clock.clearTimeout(this.#closeTimer);
    this.#readyState = Ws.CLOSED;
    if (why) this.#announce(why);
    this.#tell('close', code, Buffer.from(reason));
  }

  handleFailed(error: Error): boolean {
    return this.listenerCount('error') > 0 && this.emit('error', error);
  }

  #answerPing(): void {
    if (!this.#pinged) return;
    this.#pinged = false;
    this.#tell('pong', Buffer.alloc(0));
  }

  /** To those who listen to the socket, and to those who listen to the server. */
  #announce(event: SocketNews, ...args: unknown[]): void {
    this.#tell(event, ...args);
    this.#report(event, ...args);
  }

  /** A listener that throws must not stop what has called it. */
  #tell(event: string, ...args: unknown[]): void {
    try {
      this.emit(event, ...args);
    } catch (error) {
      this.#session.inbound.fail(error);
    }
  }

  #shape(data: Buffer): Buffer | ArrayBuffer | Buffer[] {
    if (this.binaryType === 'nodebuffer') return data;
    if (this.binaryType === 'fragments') return [data];
    return Uint8Array.from(data).buffer;
  }

  // -------------------------------------------------------------------------------------------------- browser-style API

  addEventListener(...args: Parameters<SocketEventTarget['add']>): void {
    this.#events.add(...args);
  }

  removeEventListener(...args: Parameters<SocketEventTarget['remove']>): void {
    this.#events.remove(...args);
  }

  get onopen(): Attribute<'open'> {
    return this.#events.getAttribute('open');
  }

  set onopen(listener: Attribute<'open'>) {
    this.#events.setAttribute('open', listener);
  }

  get onmessage(): Attribute<'message'> {
    return this.#events.getAttribute('message');
  }

  set onmessage(listener: Attribute<'message'>) {
    this.#events.setAttribute('message', listener);
  }

  get onclose(): Attribute<'close'> {
    return this.#events.getAttribute('close');
  }

  set onclose(listener: Attribute<'close'>) {
    this.#events.setAttribute('close', listener);
  }

  get onerror(): Attribute<'error'> {
    return this.#events.getAttribute('error');
  }

  set onerror(listener: Attribute<'error'>) {
    this.#events.setAttribute('error', listener);
  }
}

/** `ws` takes the callback behind any number of the other arguments. */
const callbackOf = (args: readonly unknown[]): Done | undefined =>
  args.find((argument): argument is Done => typeof argument === 'function');

function notOpen(callback: Done | undefined, readyState: number): void {
  const state = ['CONNECTING', 'OPEN', 'CLOSING', 'CLOSED'][readyState] as string;
  // As with ws: without a callback it is no error to send to a socket that is closing.
  if (callback) queueMicrotask(() => callback(new HoldfastError(errors.ENDED, `readyState ${state}`)));
}

/** RFC 6455, section 7.4: what an application may close with. */
function checkClose(code: number | undefined, reason: string): void {
  const allowed =
    code === undefined ||
    (code >= 1000 && code <= 1014 && ![1004, 1005, 1006].includes(code)) ||
    (code >= 3000 && code <= 4999);
  if (!allowed) throw new TypeError('First argument must be a valid error code number');
  if (Buffer.byteLength(reason) > 123) {
    throw new RangeError('The message must not be greater than 123 bytes');
  }
}
