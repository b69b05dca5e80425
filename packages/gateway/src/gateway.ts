import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import type { Environment, Route } from '@holdfast/policy';
import { errors, HoldfastError } from '@holdfast/protocol';
import { LineLog } from './access-log.js';
import { Admin } from './admin.js';
import { Admission } from './admission.js';
import { createCarriers } from './carry/carriers.js';
import { Certificates } from './certificates.js';
import { systemClock, wait, type Clock } from './clock.js';
import { settingsOf, type Context, type Settings } from './context.js';
import { HttpProxy } from './http/proxy.js';
import { ignore } from './ignore.js';
import { Listener, type ListenerOptions } from './listener.js';
import { Metrics } from './metrics.js';
import { Pace } from './pace.js';
import { Pods } from './pods.js';
import { POD_STATES, stickiesOf, Sticky, type Pod, type PodChange } from './pool/index.js';
import { Upgrades, type Underway } from './upgrades.js';
import type { Visit } from './visit.js';

export interface GatewayOptions {
  readonly clock?: Clock;
  /** 0 to 1, for jitter. */
  readonly random?: () => number;
  /** Where the access log goes. Default: nowhere, whatever the policy says. */
  readonly output?: (text: string) => void;
  /** Told of what happens to pods, and of what goes wrong without ending anything. */
  readonly events?: GatewayEvents;
}

export interface GatewayEvents {
  podChanged?(change: PodChange): void;
  problem?(what: string, error: unknown): void;
}

/** How often files of certificates are looked at. */
const CERTIFICATES_MS = 10_000;

/** A gateway in this process. */
export class Gateway {
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #events: GatewayEvents;
  readonly #output: ((text: string) => void) | undefined;
  readonly #pods: Pods;
  readonly #admission: Admission;
  readonly #upgrades: Upgrades;
  readonly #http: HttpProxy;
  readonly #metrics: Metrics;
  readonly #pace: Pace;
  readonly #carrierOf = createCarriers();
  readonly #context: Context;
  #settings: Settings;
  /** Of the routes of today, and of older ones as long as something is under way on them. */
  readonly #stickies = new WeakMap<Route, Sticky>();
  #log: LineLog | undefined;
  #listeners: Listener[] = [];
  #admin: Admin | undefined;
  /** The reload before, however it ended: two at once would both want the same address. */
  #reloaded = Promise.resolve();
  #isDraining = false;
  #certificateTimer: unknown;

  /** Throws `HF_OPTION` or `HF_COOKIE_KEYS` for what cannot be. */
  constructor(environment: Environment, options: GatewayOptions = {}) {
    const { clock = systemClock, random = Math.random, output, events = {} } = options;
    this.#clock = clock;
    this.#random = random;
    this.#events = events;
    this.#output = output;
    this.#settings = settingsOf(environment);
    this.#log = this.#newLog();
    for (const [route, sticky] of stickiesOf(environment.routes)) this.#stickies.set(route, sticky);
    this.#pods = new Pods(environment, clock, random, (error) => this.#problem('discovery', error));
    this.#pods.pool.watch((change) => this.#podChanged(change));
    this.#admission = new Admission(environment.limits, clock);
    this.#pace = new Pace(environment.drain.movesPerSecond, clock, random);
    this.#context = this.#newContext();
    this.#upgrades = new Upgrades(this.#context);
    this.#http = new HttpProxy(this.#context);
    this.#metrics = new Metrics({
      webSockets: () => this.#upgrades.count,
      requests: () => this.#http.count,
      waiting: () => this.#admission.waiting,
      pods: () => this.#pods.report(),
      isReady: () => this.isReady,
    });
  }

  /** Addresses that are listened on, in the order of the policy. */
  get addresses(): AddressInfo[] {
    return this.#listeners.map(({ address }) => address);
  }

  get adminAddress(): AddressInfo | undefined {
    return this.#admin?.address;
  }

  /** WebSockets under way. */
  get webSockets(): number {
    return this.#upgrades.count;
  }

  /** Connections of clients. */
  get sockets(): number {
    return this.#listeners.reduce((sum, { sockets }) => sum + sockets, 0);
  }

  get pods(): Pods {
    return this.#pods;
  }

  /** New connections are welcome, and would find a pod. */
  get isReady(): boolean {
    return !this.#isDraining && this.#pods.pool.isReady;
  }

  /** Judges what {@link start} would only find out then: files of certificates and tokens. Throws `HF_CERTIFICATE`, `HF_OPTION`. */
  check(): void {
    const { listen, admin } = this.#settings.environment.gateway;
    for (const { certificates } of listen) new Certificates(certificates);
    if (admin?.tokenFile !== undefined) readToken(admin.tokenFile);
  }

  /** Checks the pods, then listens: whoever comes first finds out no more than whoever comes later. Throws `HF_LISTEN`, `HF_CERTIFICATE`, `HF_OPTION`. */
  async start(): Promise<void> {
    const { admin } = this.#settings.environment.gateway;
    this.#pods.start();
    await this.#judged();
    try {
      await this.#relisten(this.#settings);
      if (admin) this.#admin = await this.#startAdmin(admin);
    } catch (error) {
      await this.close();
      throw error;
    }
    this.#watchCertificates();
  }

  /** Waits until a pod has passed its first check or none is left to be asked, but not for long: there may be no pods yet. */
  async #judged(): Promise<void> {
    const endMs = this.#clock.now() + this.#settings.environment.health.timeoutMs;
    const isOpen = (): boolean => !this.isReady && this.#pods.report().some(({ state }) => state === 'checking');
    while (isOpen() && this.#clock.now() < endMs) await this.#wait(FIRST_CHECK_POLL_MS);
  }

  /**
   * Takes a new policy without touching a connection: what is under way keeps what it began with. Addresses that are not listened on any
   * more accept nothing new. One at a time, in order. Throws as the constructor and {@link start}, and then nothing has changed.
   */
  reload(environment: Environment): Promise<void> {
    const reloaded = this.#reloaded.then(() => this.#take(environment));
    this.#reloaded = reloaded.catch(ignore);
    return reloaded;
  }

  async #take(environment: Environment): Promise<void> {
    const settings = settingsOf(environment);
    const stickies = stickiesOf(environment.routes);
    await this.#relisten(settings);
    this.#settings = settings;
    for (const [route, sticky] of stickies) this.#stickies.set(route, sticky);
    this.#admission.limits = environment.limits;
    this.#pace.perSecond = environment.drain.movesPerSecond;
    this.#log = this.#newLog();
    this.#pods.reload(environment);
  }

  /**
   * Where an address stays and something else of its listener changes, the one before makes way first, as two cannot have the address; that takes no
   * longer than two system calls.
   */
  async #relisten(settings: Settings): Promise<void> {
    const before = this.#listeners;
    const kept = new Set<Listener>();
    const after = listenersOf(settings).map((options) => {
      const same = before.find((one) => isSame(one.options, options) && !kept.has(one));
      if (same) kept.add(same);
      return same ?? this.#newListener(options);
    });
    const fresh = after.filter((one) => !kept.has(one));
    const leaving = before.filter((one) => !kept.has(one));
    const inTheWay = leaving.filter((one) => fresh.some(({ options }) => options.port === one.address.port));
    for (const listener of inTheWay) listener.stop();
    try {
      for (const listener of fresh) await listener.listen();
    } catch (error) {
      await Promise.all(fresh.map(async (listener) => listener.close()));
      this.#listeners = before.map((one) => (inTheWay.includes(one) ? this.#newListener(one.options) : one));
      for (const listener of this.#listeners) if (!before.includes(listener)) await listener.listen();
      throw error;
    }
    for (const listener of leaving) listener.stop();
    for (const listener of kept) listener.refreshCertificates((error) => this.#problem('certificate', error));
    this.#listeners = after;
  }

  /**
   * Ends as a pod ends: not ready at once, serving on until balancers have noticed, then no new connections; those that are open are told
   * to connect elsewhere, so many a second, and what is left at the deadline is ended.
   */
  async drain(): Promise<void> {
    if (this.#isDraining) return;
    this.#isDraining = true;
    const { drain } = this.#settings.environment;
    const deadlineMs = this.#clock.now() + drain.deadlineMs;
    await this.#wait(drain.propagationMs);
    for (const listener of this.#listeners) listener.stop();
    const asked = new Set<Underway>();
    while (this.#upgrades.count + this.#http.count > 0 && this.#clock.now() < deadlineMs) {
      // Those too whose turn to be let in comes only now.
      const unasked = Array.from(this.#upgrades.underway).filter((one) => !asked.has(one));
      for (const one of unasked) asked.add(one);
      this.#pace.add(unasked.map((one) => () => one.carriage.leave('gateway')));
      await this.#wait(POLL_MS);
    }
    await this.close();
  }

  /** Ends everything at once. */
  async close(): Promise<void> {
    this.#isDraining = true;
    this.#clock.clearTimeout(this.#certificateTimer);
    this.#pace.stop();
    this.#admission.close();
    this.#upgrades.destroy();
    this.#http.destroy();
    await Promise.all(this.#listeners.map(async (listener) => listener.close()));
    await this.#admin?.close();
    this.#pods.close();
    this.#log?.flush();
  }

  // ---------------------------------------------------------------------------------------------------------------- parts

  #newContext(): Context {
    const settings = (): Settings => this.#settings;
    const isDraining = (): boolean => this.#isDraining;
    return {
      clock: this.#clock,
      admission: this.#admission,
      random: this.#random,
      get settings() {
        return settings();
      },
      get isDraining() {
        return isDraining();
      },
      poolOf: () => this.#pods.pool,
      stickyOf: (route) => this.#stickies.get(route) ?? new Sticky(route.stickiness),
      carrierOf: this.#carrierOf,
      finished: (visit, route) => this.#finished(visit, route),
    };
  }

  #newLog(): LineLog | undefined {
    const { accessLog } = this.#settings.environment.gateway;
    return accessLog === 'off' || !this.#output ? undefined : new LineLog(accessLog, this.#output);
  }

  #finished(visit: Visit, route: Route | undefined): void {
    const nowMs = this.#clock.now();
    this.#metrics.finished(visit, route, (nowMs - visit.beganMs) / 1_000);
    if (visit.account.closedBy === 'gateway' && visit.account.status !== 101) {
      this.#metrics.refused(visit.account.cause ?? '');
    }
    this.#log?.write(visit, nowMs, Date.now());
  }

  #listenerEvents(): ConstructorParameters<typeof Listener>[2] {
    return {
      request: (request, response, expects) => this.#http.handle(request, response, expects),
      upgrade: (request, wire, head) => this.#upgrades.handle(request, wire, head),
      broken: (response, why) => this.#http.reject(response, why),
      turnedAway: (visit) => this.#finished(visit, undefined),
      refused: (error) => this.#metrics.refused(error),
    };
  }

  #newListener(options: ListenerOptions): Listener {
    return new Listener(options, this.#context, this.#listenerEvents());
  }

  async #startAdmin({ host, port, tokenFile }: NonNullable<Environment['gateway']['admin']>): Promise<Admin> {
    const token = tokenFile === undefined ? undefined : readToken(tokenFile);
    const admin = new Admin(
      { host, port, ...(token !== undefined && { token }) },
      {
        pods: this.#pods,
        metrics: this.#metrics.registry,
        isReady: () => this.isReady,
        cut: (id) => this.#upgrades.cut(id),
        status: () => ({
          environment: this.#settings.environment.name,
          ready: this.isReady,
          draining: this.#isDraining,
          webSockets: this.#upgrades.count,
          requests: this.#http.count,
          sockets: this.sockets,
          waiting: this.#admission.waiting,
          logLinesDropped: this.#log?.dropped ?? 0,
        }),
      },
    );
    await admin.listen();
    return admin;
  }

  #watchCertificates(): void {
    this.#certificateTimer = this.#clock.setTimeout(() => {
      for (const listener of this.#listeners)
        listener.refreshCertificates((error) => this.#problem('certificate', error));
      this.#watchCertificates();
    }, CERTIFICATES_MS);
  }

  #podChanged(change: PodChange): void {
    this.#events.podChanged?.(change);
    if (!POD_STATES[change.to].leaves) return;
    const { pod } = change;
    const here = Array.from(this.#upgrades.underway).filter((one) => one.isAt(pod));
    this.#pace.add(here.map((one) => () => this.#leavePod(one, pod)));
  }

  /** Unless it has left by itself meanwhile, or the pod is welcome again. */
  #leavePod({ carriage, isAt }: Underway, pod: Pod): void {
    if (isAt(pod) && POD_STATES[pod.state].leaves) carriage.leave('pod');
  }

  #problem(what: string, error: unknown): void {
    this.#events.problem?.(what, error);
  }

  async #wait(ms: number): Promise<void> {
    await wait(this.#clock, ms);
  }
}

/** How often the start looks whether the first pod is judged. */
const FIRST_CHECK_POLL_MS = 10;
/** How often a drain looks whether everybody has gone. */
const POLL_MS = 50;

const listenersOf = ({ environment, limits: { headerBytes, handshakeMs } }: Settings): ListenerOptions[] =>
  environment.gateway.listen.map((options) => ({ ...options, headerBytes, handshakeMs }));

const isSame = (a: ListenerOptions, b: ListenerOptions): boolean => JSON.stringify(a) === JSON.stringify(b);

/** Throws `HF_OPTION`. */
function readToken(path: string): string {
  try {
    const token = readFileSync(path, 'utf8').trim();
    if (token.length >= 16) return token;
  } catch (cause) {
    throw new HoldfastError(errors.OPTION, `gateway.admin.tokenFile ${path} cannot be read`, { cause });
  }
  throw new HoldfastError(errors.OPTION, `gateway.admin.tokenFile ${path} has fewer than 16 characters`);
}
