import { EventEmitter, once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { ChaosLink } from './chaos-link.js';
import { type Clock, realClock } from './clock.js';
import type { Direction, Fault, FaultKind, LinkPlan, Shape } from './faults.js';
import { type Random, randomSeed, seededRandom } from './random.js';

/** Where a proxy carries its connections to. */
export interface ChaosTarget {
  /** Default "127.0.0.1". */
  host?: string;
  port: number;
}

/** Decides what happens to each connection; `linkIndex` counts them from 0, and `random` depends on the seed and that index only. */
export type PlanFunction = (linkIndex: number, random: Random) => LinkPlan;

/** How new connections are refused: accepted and reset at once, or not listened for, so that the system refuses them. */
export type RefusalMode = 'reset' | 'stopListening';

/** Options of a `ChaosProxy`. */
export interface ChaosProxyOptions {
  /** Where connections are carried to; a function is asked anew for each. */
  target: ChaosTarget | (() => ChaosTarget);
  /** What happens to each connection. Default: nothing, a plain proxy. */
  plan?: PlanFunction;
  /** The seed of the plan's random numbers. Default: the environment variable `HOLDFAST_SEED`, or a new one. */
  seed?: number;
  /** The address to listen on. Default "127.0.0.1". */
  host?: string;
  /** The port to listen on. Default 0: a free one. */
  port?: number;
  /**
   * Bytes held per link and direction; above it the sender is no longer read. One read of a socket (64 KiB) can come on top. It
   * also bounds what can be under way in a delayed direction. Default 262,144.
   */
  bufferBytes?: number;
  /** Open links; the system refuses connections beyond it. Default 10,000. */
  linksMax?: number;
  /** What delays, rates and `offline` are measured on. Default: the machine's clock. */
  clock?: Clock;
}

/** What a proxy has done so far. */
export interface ChaosStatistics {
  /** Connections carried on to the target. */
  readonly accepted: number;
  /** Connections refused: by a plan, while offline, or beyond `linksMax`. */
  readonly refused: number;
  /** Links that are open now. */
  readonly open: number;
  /** Bytes forwarded to targets. */
  readonly bytesUp: number;
  /** Bytes forwarded to clients. */
  readonly bytesDown: number;
  /** How often each fault took effect. */
  readonly faults: Readonly<Record<FaultKind, number>>;
}

/**
 * A TCP proxy in this process that does to connections what networks do. Each connection is a `ChaosLink`; faults are injected into one
 * link (`link.inject`), into all (`proxy.inject`), or into those to come (`proxy.plan`). It emits `link` with each new link and
 * `end` when a link has ended.
 */
export class ChaosProxy extends EventEmitter<{ link: [ChaosLink]; end: [ChaosLink]; error: [Error] }> {
  /** The seed of the plan's random numbers, for a failure's report. */
  readonly seed: number;
  /** What happens to connections accepted from now on. */
  plan: PlanFunction;
  readonly #options: ChaosProxyOptions;
  readonly #host: string;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #links = new Set<ChaosLink>();
  readonly #faults: Record<FaultKind, number> = { cut: 0, reset: 0, fin: 0, blackHole: 0, freeze: 0 };
  #server: Server | undefined;
  #port = 0;
  #nextIndex = 0;
  #accepted = 0;
  #refused = 0;
  #endedBytes = { up: 0, down: 0 };
  #refusing: RefusalMode | undefined;
  #onlineTimer: unknown;

  private constructor(options: ChaosProxyOptions) {
    super();
    this.#options = options;
    this.#host = options.host ?? '127.0.0.1';
    this.#clock = options.clock ?? realClock;
    this.seed = options.seed ?? randomSeed();
    this.#random = seededRandom(this.seed);
    this.plan = options.plan ?? (() => ({}));
  }

  /** A proxy that listens. */
  static async listen(options: ChaosProxyOptions): Promise<ChaosProxy> {
    const proxy = new ChaosProxy(options);
    await proxy.#listen(options.port ?? 0);
    return proxy;
  }

  /** The port it listens on; it stays the same while offline. */
  get port(): number {
    return this.#port;
  }

  /** The links that are open, oldest first. */
  get links(): readonly ChaosLink[] {
    return [...this.#links];
  }

  /** What it has done so far. */
  get statistics(): ChaosStatistics {
    const { up, down } = this.#endedBytes;
    const { links } = this;
    return {
      accepted: this.#accepted,
      refused: this.#refused,
      open: links.length,
      bytesUp: links.reduce((sum, link) => sum + link.bytesUp, up),
      bytesDown: links.reduce((sum, link) => sum + link.bytesDown, down),
      faults: { ...this.#faults },
    };
  }

  /** The WebSocket URL of a path (default "/") behind the proxy. */
  url(path = '/'): string {
    const host = this.#host.includes(':') ? `[${this.#host}]` : this.#host;
    return `ws://${host}:${this.#port}${path.startsWith('/') ? path : `/${path}`}`;
  }

  /** Resolves with the next link; it is there before any of its bytes is forwarded. */
  async nextLink(): Promise<ChaosLink> {
    const [link] = (await once(this, 'link')) as [ChaosLink];
    return link;
  }

  /** Injects a fault into every open link. */
  inject(fault: FaultKind | Fault): void {
    for (const link of this.#links) link.inject(fault);
  }

  /** Ends the freeze of every open link. */
  thaw(direction?: Direction): void {
    for (const link of this.#links) link.thaw(direction);
  }

  /** Shapes every open link. */
  shape(shape: Shape, direction?: Direction): void {
    for (const link of this.#links) link.shape(shape, direction);
  }

  /** Refuses new connections until `online`; open links go on. Default: resets them. */
  refuse(mode: RefusalMode = 'reset'): void {
    this.#refusing = mode;
    if (mode === 'reset') return;
    this.#server?.close();
    this.#server = undefined;
  }

  /** Cuts every link and refuses new ones until `online` is called, or for so many milliseconds. */
  offline(forMs?: number): void {
    this.#clock.clearTimeout(this.#onlineTimer);
    if (this.#refusing === undefined) this.refuse();
    this.inject('cut');
    if (forMs === undefined) return;
    this.#onlineTimer = this.#clock.setTimeout(() => {
      this.online().catch((error: unknown) => this.emit('error', error as Error));
    }, forMs);
  }

  /** Accepts connections again, on the same port. */
  async online(): Promise<void> {
    this.#clock.clearTimeout(this.#onlineTimer);
    this.#refusing = undefined;
    if (this.#server === undefined) await this.#listen(this.#port);
  }

  /** Destroys every link and stops listening. */
  async close(): Promise<void> {
    const server = this.#server;
    this.refuse('stopListening');
    this.#clock.clearTimeout(this.#onlineTimer);
    for (const link of this.#links) link.destroy();
    if (server !== undefined) await once(server, 'close');
    await Promise.all(this.links.map((link) => link.ended));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #listen(port: number): Promise<void> {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => this.#accept(client));
    this.#server = server;
    server.maxConnections = this.#options.linksMax ?? 10_000;
    server.on('drop', () => this.#refused++);
    server.listen({ host: this.#host, port });
    await once(server, 'listening');
    this.#port = (server.address() as AddressInfo).port;
  }

  #accept(client: Socket): void {
    const id = this.#nextIndex++;
    const plan = this.#refusing === undefined ? this.plan(id, this.#random.fork(id)) : { refuse: true };
    if (plan.refuse === true) {
      this.#refused++;
      client.on('error', () => undefined);
      client.resetAndDestroy();
      return;
    }
    this.#accepted++;
    const { target, bufferBytes = 262_144 } = this.#options;
    const { host = '127.0.0.1', port } = typeof target === 'function' ? target() : target;
    const link = new ChaosLink({
      id,
      client,
      target: connect({ host, port, allowHalfOpen: true, noDelay: true }),
      plan,
      clock: this.#clock,
      bufferBytes,
      onFault: (kind) => this.#faults[kind]++,
    });
    this.#links.add(link);
    void link.ended.then(() => {
      this.#links.delete(link);
      this.#endedBytes.up += link.bytesUp;
      this.#endedBytes.down += link.bytesDown;
      this.emit('end', link);
    });
    this.emit('link', link);
  }
}
