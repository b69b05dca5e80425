import type { Socket } from 'node:net';
import { ChaosPipe } from './chaos-pipe.js';
import type { Clock } from './clock.js';
import { type Deferred, deferred } from './deferred.js';
import { type Direction, directionsOf, type Fault, type FaultKind, type LinkPlan, type Shape } from './faults.js';

/**
 * Why a link ended: a fault; the end that closed first, in order (FIN) or by a reset; a target that could not be reached; or the
 * proxy was closed.
 */
export type LinkEnd =
  | Extract<FaultKind, 'cut' | 'reset' | 'fin'>
  | 'client closed'
  | 'client reset'
  | 'target closed'
  | 'target reset'
  | 'target unreachable'
  | 'proxy closed';

/** What a link is made of. */
export interface ChaosLinkOptions {
  id: number;
  client: Socket;
  target: Socket;
  plan: LinkPlan;
  clock: Clock;
  bufferBytes: number;
  /** Told of each fault when it takes effect. */
  onFault: (kind: FaultKind) => void;
}

/** One accepted connection and the connection to the target that carries it on. */
export class ChaosLink {
  /** Which connection of the proxy this is, from 0. */
  readonly id: number;
  /** Resolves with the reason when the link has ended; never rejects. */
  readonly ended: Promise<LinkEnd>;
  readonly #options: ChaosLinkOptions;
  readonly #pipes: Readonly<Record<Direction, ChaosPipe>>;
  readonly #ended: Deferred<LinkEnd>;
  readonly #startedAtMs: number;
  #endedAtMs: number | undefined;
  #connected = false;
  #firstToClose: LinkEnd | undefined;

  constructor(options: ChaosLinkOptions) {
    const { client, target, clock, bufferBytes, plan } = options;
    this.id = options.id;
    this.#options = options;
    this.#startedAtMs = clock.now();
    this.#ended = deferred();
    this.ended = this.#ended.promise;
    const onDone = (): void => this.#endWhenDone();
    this.#pipes = {
      up: new ChaosPipe({ source: client, sink: target, clock, bufferBytes, onDone }),
      down: new ChaosPipe({ source: target, sink: client, clock, bufferBytes, onDone }),
    };
    target.on('connect', () => (this.#connected = true));
    this.#watch(client, 'up', 'client');
    this.#watch(target, 'down', 'target');
    for (const direction of directionsOf(undefined)) this.shape(plan[direction] ?? {}, direction);
    for (const fault of plan.faults ?? []) this.inject(fault);
  }

  /** Bytes forwarded to the target. */
  get bytesUp(): number {
    return this.#pipes.up.bytesForwarded;
  }

  /** Bytes forwarded to the client. */
  get bytesDown(): number {
    return this.#pipes.down.bytesForwarded;
  }

  /** Bytes read and thrown away, of both directions. */
  get bytesSwallowed(): number {
    return this.#pipes.up.bytesSwallowed + this.#pipes.down.bytesSwallowed;
  }

  /** Bytes read that wait to be forwarded, of both directions. */
  get bytesWaiting(): number {
    return this.#pipes.up.bytesWaiting + this.#pipes.down.bytesWaiting;
  }

  /** Milliseconds since it was accepted, up to its end. */
  get ageMs(): number {
    return (this.#endedAtMs ?? this.#options.clock.now()) - this.#startedAtMs;
  }

  /** Whether neither the ends nor a fault have ended it. */
  get open(): boolean {
    return this.#endedAtMs === undefined;
  }

  /** Injects a fault, given by its kind alone (at once, in both directions) or in full. Without effect once the link has ended. */
  inject(fault: FaultKind | Fault): void {
    const { kind, direction, after }: Fault = typeof fault === 'string' ? { kind: fault } : fault;
    if (!this.open) return;
    if (after === undefined) this.#takeEffect(kind, direction);
    else this.#pipes[after.direction].mark(after.bytes, () => this.#takeEffect(kind, direction));
  }

  /** Ends a freeze, of one direction or both: what was held back goes on, in order. */
  thaw(direction?: Direction): void {
    for (const each of directionsOf(direction)) if (this.open) this.#pipes[each].thaw();
  }

  /** Carries bytes differently from now on, in one direction or both; `{}` makes it plain again. */
  shape(shape: Shape, direction?: Direction): void {
    for (const each of directionsOf(direction)) if (this.open) this.#pipes[each].shape(shape);
  }

  /** Destroys both sockets, because the proxy closes. */
  destroy(): void {
    this.#end('proxy closed');
  }

  #takeEffect(kind: FaultKind, direction: Direction | undefined): void {
    if (!this.open) return;
    this.#options.onFault(kind);
    if (kind === 'cut' || kind === 'reset') {
      this.#end(kind);
      return;
    }
    if (kind === 'fin') this.#firstToClose ??= 'fin';
    for (const each of directionsOf(direction)) {
      const pipe = this.#pipes[each];
      if (kind === 'fin') pipe.finish();
      else if (kind === 'blackHole') pipe.swallow();
      else pipe.freeze();
    }
  }

  #watch(socket: Socket, outgoing: Direction, name: 'client' | 'target'): void {
    socket.on('error', () => undefined); // 'close' follows and says that there was one
    socket.on('end', () => (this.#firstToClose ??= `${name} closed`));
    socket.on('close', (hadError) => {
      const { client, target } = this.#options;
      if (name === 'target' && !this.#connected) this.#end('target unreachable', 'reset');
      else if (hadError && !this.#pipes[outgoing].swallowing) this.#end(`${name} reset`, 'reset');
      else if (client.destroyed && target.destroyed) this.#end(this.#firstToClose ?? `${name} reset`);
    });
  }

  #endWhenDone(): void {
    if (this.#pipes.up.done && this.#pipes.down.done) this.#end(this.#firstToClose ?? 'client closed');
  }

  #end(reason: LinkEnd, how: 'destroy' | 'reset' = reason === 'reset' ? 'reset' : 'destroy'): void {
    if (!this.open) return;
    this.#endedAtMs = this.#options.clock.now();
    for (const direction of directionsOf(undefined)) this.#pipes[direction].release();
    for (const socket of [this.#options.client, this.#options.target]) {
      // A reset would wait for the connection to be there first.
      if (how === 'reset' && !socket.connecting) socket.resetAndDestroy();
      else socket.destroy();
    }
    this.#ended.resolve(reason);
  }
}
