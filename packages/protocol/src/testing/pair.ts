import type { Random } from '../backoff.js';
import { CircuitBreaker, type BreakerOptions } from '../breaker.js';
import type { ClientOutput } from '../client-output.js';
import type { Hint } from '../client-options.js';
import { ClientSession } from '../client-session.js';
import { DEFAULT_CONNECT_LIMITS, type ConnectLimits } from '../dialer.js';
import type { ErrorKind } from '../error.js';
import type { Window } from '../frames.js';
import type { TransportId } from '../link.js';
import { DEFAULT_CLIENT_WINDOW, DEFAULT_POLICY, type Policy } from '../policy.js';
import type { ServerSession } from '../server-session.js';
import { textOf } from '../utf8.js';
import { Judge } from './judge.js';
import { ModelLink } from './model-link.js';
import { ModelPod, type Span } from './model-pod.js';
import { ModelProcess } from './model-process.js';
import { ModelStore, type ModelSession } from './model-store.js';
import { Timeline } from './timeline.js';

export interface PairOptions {
  /** Draws everything that is left to chance: the same numbers make the same run. */
  readonly random: Random;
  readonly policy?: Partial<Policy>;
  readonly window?: Window;
  readonly limits?: Partial<ConnectLimits>;
  readonly breaker?: BreakerOptions;
  readonly maxAttempts?: number;
  readonly maxBufferedBytes?: number;
  /** Pods at the start. Default 2. */
  readonly pods?: number;
  /** The way of a message. Default 1 to 30 ms. */
  readonly latencyMs?: Span;
  /** What the store takes for anything. Default 0 to 5 ms. */
  readonly storeMs?: Span;
  /** Is given a line for everything that is said on a link, and for everything that the client's machine tells. */
  readonly trace?: (line: string) => void;
}

/** A message as the client's application got it; topic '' is the session's own stream. */
export interface Received {
  readonly topic: string;
  readonly text: string;
}

/**
 * Both real session machines with a model of everything between and behind them: a network, a balancer, pods, a store, and a
 * clock that moves only in {@link drive}. Tests read as scripts over it.
 */
export class Pair {
  readonly timeline = new Timeline();
  readonly store = new ModelStore();
  readonly judge = new Judge();
  readonly client: ClientSession;
  readonly clientProcess: ModelProcess;
  readonly pods: ModelPod[] = [];
  readonly received: Received[] = [];
  /** What the client's machine told beside messages and transmissions, in order. */
  readonly events: ClientOutput[] = [];
  /** Transports that are open at the client's end, oldest first. */
  readonly links = new Map<TransportId, ModelLink>();
  /** Whether connections can be made. */
  isOnline = true;
  readonly #options: PairOptions;
  readonly #policy: Policy;
  readonly #resumes: { readonly transport: TransportId; readonly data: string | Uint8Array }[] = [];
  #podsMade = 0;
  #linksMade = 0;

  constructor(options: PairOptions) {
    this.#options = options;
    this.#policy = { ...DEFAULT_POLICY, ...options.policy };
    const limits = { ...DEFAULT_CONNECT_LIMITS, ...options.limits };
    this.client = new ClientSession({
      window: options.window ?? DEFAULT_CLIENT_WINDOW,
      limits,
      maxAttempts: options.maxAttempts ?? Infinity,
      maxBufferedBytes: options.maxBufferedBytes ?? 16_777_216,
      fallback: false,
      breaker: new CircuitBreaker(options.breaker ?? { failures: Infinity, openMs: 1_000 }),
      random: options.random,
    });
    this.clientProcess = new ModelProcess(this.timeline, () => this.#flushClient());
    this.clientProcess.machines = [this.client];
    for (let i = 0; i < (options.pods ?? 2); i++) this.addPod();
  }

  // ------------------------------------------------------------------------------------------------------ how it stands

  get nowMs(): number {
    return this.timeline.nowMs;
  }

  /** The session, as the store has it; undefined before the welcome and after the end. */
  get session(): ModelSession | undefined {
    return this.client.id === undefined ? undefined : this.store.session(this.client.id);
  }

  /** The pod that holds the session, by the store's word. */
  get pod(): ModelPod | undefined {
    return this.pods.find((pod) => pod.isAlive && pod.name === this.session?.owner);
  }

  /** The machine at the server's end. */
  get server(): ServerSession | undefined {
    return this.client.id === undefined ? undefined : this.pod?.machine(this.client.id);
  }

  /** Whether the client has everything that is in its streams, and was told of what is not. */
  get isUpToDate(): boolean {
    const { session, client, store, judge } = this;
    if (!session || client.state !== 'open') return false;
    if (this.eventsOf('recovering').length > this.eventsOf('recovered').length) return false;
    return ['', ...session.topics.keys()].every((topic) => {
      const { epoch, end } = store.log(session.id, topic);
      return judge.isAt(topic, epoch, end);
    });
  }

  /** The newest transport. */
  get link(): ModelLink | undefined {
    return [...this.links.values()].at(-1);
  }

  eventsOf<T extends ClientOutput['type']>(type: T): Extract<ClientOutput, { type: T }>[] {
    return this.events.filter((event): event is Extract<ClientOutput, { type: T }> => event.type === type);
  }

  // ----------------------------------------------------------------------------------------------------------- the ends

  connect(): void {
    this.#act(() => this.client.connect(this.nowMs));
  }

  /** Connects, and waits until the session is open. */
  open(): void {
    this.connect();
    this.driveUntil(() => this.client.state === 'open', 10_000);
    const { epoch } = this.store.log(this.client.id as string, '');
    this.judge.begin('', { epoch, offset: 0 });
  }

  send(text: string): ErrorKind | undefined {
    const refusal = this.client.send({ data: text, binary: false }, this.nowMs);
    this.#flushClient();
    return refusal;
  }

  hint(hint: Hint): void {
    this.#act(() => this.client.handleHint(hint, this.nowMs));
  }

  close(code: number, reason: string): void {
    this.#act(() => this.client.close(code, reason, this.nowMs));
  }

  /** The server's application sends to the session, from the pod that holds it or from another one. */
  serverSend(text: string, isOwn = true): void {
    this.#append('', text, isOwn);
  }

  publish(topic: string, text: string, isOwn = true): void {
    this.#append(topic, text, isOwn);
  }

  subscribe(topic: string): void {
    if (this.session) this.pod?.subscribe(this.session.id, topic);
  }

  unsubscribe(topic: string): void {
    if (this.session) this.pod?.unsubscribe(this.session.id, topic);
  }

  /** The server's application closes the session. */
  serverClose(code: number, reason: string): void {
    if (this.session) this.pod?.close(this.session.id, code, reason);
  }

  // --------------------------------------------------------------------------------------------------------- what fails

  /** A new pod. */
  addPod(): ModelPod {
    const { random, storeMs = [0, 5] } = this.#options;
    const name = `pod-${++this.#podsMade}`;
    const { timeline, store, judge } = this;
    const fenced = (session: string, by: ModelPod, isTold: boolean): void => {
      // The news may be lost where the client has come by itself: a pod also finds out when it writes.
      for (const pod of this.pods) if (pod !== by && (isTold || random() < 0.7)) pod.heardOfFence(session);
    };
    const { closeMs } = DEFAULT_CONNECT_LIMITS;
    const pod = new ModelPod({ name, timeline, random, store, policy: this.#policy, closeMs, storeMs, judge, fenced });
    this.pods.push(pod);
    return pod;
  }

  /** Another pod takes the session over, as it does when a pod was silent for too long. */
  adopt(): void {
    const pod = this.pods.find((other) => other.isAlive && other !== this.pod);
    if (pod && this.session) pod.adopt(this.session);
  }

  /** The transport takes no more from the server for a while. */
  pauseWriting(ms: number): void {
    const { server } = this;
    server?.handleWritable(false);
    this.timeline.after(ms, () => server?.handleWritable(true));
  }

  /** A `resume` that the client has given up arrives after all, as it does when it was held up on its way. */
  deliverLateResume(): void {
    const late = this.#resumes.find(({ transport }) => !this.links.has(transport));
    const pod = this.pods.find(({ isAlive }) => isAlive);
    if (!late || !pod) return;
    this.#resumes.splice(this.#resumes.indexOf(late), 1);
    const link = this.#newLink();
    pod.accept(link);
    link.send('client', late.data, false);
    this.timeline.after(10_000, () => link.cut());
  }

  // -------------------------------------------------------------------------------------------------------------- drive

  /** Lets time pass. */
  drive(ms: number): void {
    const untilMs = this.nowMs + ms;
    while (this.#step(untilMs));
    this.timeline.skipTo(untilMs);
  }

  /** Lets time pass until something is so. Throws if it takes longer than this. */
  driveUntil(predicate: () => boolean, withinMs: number): void {
    const untilMs = this.nowMs + withinMs;
    while (!predicate()) {
      if (this.#step(untilMs)) continue;
      const { state, dueMs, statistics } = this.client;
      const what = JSON.stringify({ nowMs: this.nowMs, state, dueMs, statistics, links: this.links.size });
      throw new Error(`not so after ${withinMs} ms: ${predicate.toString()} ${what}`);
    }
  }

  /** The next event or timer up to a time; false if there is none. */
  #step(untilMs: number): boolean {
    const others = this.pods.filter((pod) => pod.isAlive).map((pod) => pod.process);
    const due = others.reduce((first, other) => (other.dueMs < first.dueMs ? other : first), this.clientProcess);
    const nextMs = Math.min(due.dueMs, this.timeline.nextMs);
    if (nextMs > untilMs) return false;
    if (this.timeline.nextMs <= due.dueMs) this.timeline.step();
    else {
      this.timeline.skipTo(due.dueMs);
      due.runTimers();
    }
    return true;
  }

  // ---------------------------------------------------------------------------------------------------- the client's I/O

  #act(action: () => void): void {
    action();
    this.#flushClient();
  }

  #flushClient(): void {
    for (let output = this.client.poll(); output; output = this.client.poll()) this.#do(output);
  }

  #do(output: ClientOutput): void {
    if (output.type !== 'transmit' && output.type !== 'hangup') {
      const { data, ...rest } = { data: '', ...output };
      this.#options.trace?.(`client ${this.nowMs.toFixed(1)} ${JSON.stringify(rest)} ${textOf(data) ?? ''}`);
    }
    switch (output.type) {
      case 'dial':
        return this.#dial(output.transport);
      case 'transmit':
        if (textOf(output.data)?.startsWith('resume\n')) this.#resumes.push(output);
        this.links.get(output.transport)?.send('client', output.data, output.binary);
        return;
      case 'hangup':
        this.links.get(output.transport)?.close('client', output.code, output.reason);
        this.links.delete(output.transport);
        return;
      case 'message':
        this.#receive(output.topic ?? '', textOf(output.data) ?? '');
        return;
      case 'gap':
        this.judge.gap(output.topic, output.from, output.to);
        this.events.push(output);
        return;
      default:
        this.events.push(output);
    }
  }

  #receive(topic: string, text: string): void {
    this.received.push({ topic, text });
    this.judge.message(topic, text);
  }

  #newLink(): ModelLink {
    const { random, latencyMs = [1, 30], trace } = this.#options;
    const number = ++this.#linksMade;
    const { timeline } = this;
    return new ModelLink({
      timeline,
      random,
      latencyMs,
      ...(trace && { trace: (line) => trace(`link ${number} ${line}`) }),
    });
  }

  /** The balancer gives a living pod that does not drain. */
  #dial(transport: TransportId): void {
    const { random, latencyMs = [1, 30] } = this.#options;
    const link = this.#newLink();
    this.links.set(transport, link);
    const delayMs = latencyMs[0] + random() * (latencyMs[1] - latencyMs[0]);
    this.timeline.after(delayMs * 2, () => {
      if (!this.links.has(transport)) return;
      const pods = this.pods.filter((pod) => pod.isAlive && !pod.isDraining);
      const pod = pods[Math.floor(random() * pods.length)];
      if (!this.isOnline || !pod) {
        this.clientProcess.run(() => this.#lost(transport, 1006, ''));
        return;
      }
      link.join('client', {
        data: (data, binary) =>
          this.clientProcess.run(() => {
            // A browser gives text as a string.
            const read = binary ? data : (textOf(data) ?? '');
            if (this.links.has(transport)) this.client.handleData(transport, read, binary, this.nowMs);
          }),
        lost: (code, reason) => this.clientProcess.run(() => this.#lost(transport, code, reason)),
      });
      pod.accept(link);
      this.clientProcess.run(() => this.client.handleOpen(transport, true, this.nowMs));
    });
  }

  #lost(transport: TransportId, code: number, reason: string): void {
    if (this.links.delete(transport)) this.client.handleLost(transport, code, reason, this.nowMs);
  }

  #append(topic: string, text: string, isOwn: boolean): void {
    const { session } = this;
    if (!session) return;
    const entry = this.store.append(
      session.id,
      topic,
      Uint8Array.from(text, (c) => c.charCodeAt(0)),
    );
    this.judge.written(topic, text, { epoch: this.store.log(session.id, topic).epoch, offset: entry.offset });
    for (const pod of this.pods) {
      if (pod.isAlive) pod.wrote(session.id, topic, entry, isOwn && pod === this.pod);
    }
  }
}
