import { DEFAULT_POLICY, type Policy } from '@holdfast/protocol';
import { ModelLink, Timeline } from '@holdfast/protocol/testing';
import type { MemoryStore } from '@holdfast/store';
import type { Random } from '@holdfast/testing';
import { ClientAudit } from './client-audit.js';
import { LogAudit } from './log-audit.js';
import type { Plant } from './plants.js';
import type { Op, Setting } from './schedule.js';
import { APPLICATION_CLOSE, SimClient } from './sim-client.js';
import { SimGateway } from './sim-gateway.js';
import { SimPod } from './sim-pod.js';
import { noTrouble, type StoreTrouble } from './sim-store.js';
import type { Verdict } from './verdict.js';

export const SESSION_MS = 60_000;
/** Until a pod that is gone has been replaced, at most. */
const REPLACED_MS = 5_000;

export interface WorldOptions {
  readonly random: Random;
  readonly setting: Setting;
  readonly verdict: Verdict;
  readonly plant: Plant;
  readonly store: MemoryStore;
  readonly trace: ((line: string) => void) | undefined;
  /** Connections go through a gateway, which leads them from pod to pod. */
  readonly hasGateway: boolean;
}

interface Connection {
  readonly link: ModelLink;
  readonly latencyMs: [number, number];
}

/** Real clients and real pods, and models of what is between them and behind them. */
export class World {
  readonly timeline = new Timeline();
  readonly log: LogAudit;
  readonly clients: SimClient[] = [];
  pods: SimPod[] = [];
  readonly #options: WorldOptions;
  readonly #policy: Policy;
  readonly #trouble: StoreTrouble = noTrouble();
  readonly #offlineUntilMs: number[] = [];
  readonly #connections: Connection[] = [];
  readonly #network: Random;
  #podsMade = 0;
  #isRepaired = false;
  #clientsMade = 0;

  constructor(options: WorldOptions) {
    const { setting, random, verdict } = options;
    this.#options = options;
    this.#network = random.fork(3);
    this.log = new LogAudit(verdict);
    this.#policy = {
      ...DEFAULT_POLICY,
      window: setting.serverWindow,
      backgroundPingMs: 4_000,
      backgroundDeadMs: 8_000,
      sessionMs: SESSION_MS,
      retryMinMs: 200,
      retryMaxMs: 3_000,
    };
    for (let i = 0; i < setting.pods; i++) this.#addPod();
    for (let place = 0; place < setting.clients; place++) this.#addClient(place, 0);
  }

  // ------------------------------------------------------------------------------------------------------------ actors

  #addPod(): void {
    const { random, setting, verdict, plant, store } = this.#options;
    const { timeline, log: audit } = this;
    const made = ++this.#podsMade;
    const model = {
      timeline,
      random: random.fork(10_000 + made),
      inner: store,
      audit,
      storeMs: setting.storeMs,
      trouble: this.#trouble,
    };
    const pod = new SimPod({
      name: `pod-${made}`,
      timeline,
      random: random.fork(20_000 + made),
      policy: this.#policy,
      model,
      verdict,
      skewMs: setting.skewMs,
      wrapStore: plant.wrapStore ?? ((view) => view),
    });
    pod.application.isQuiet = this.#isRepaired;
    this.pods.push(pod);
  }

  #addClient(place: number, run: number): void {
    const { random, setting, verdict, trace } = this.#options;
    const own = random.fork(30_000 + ++this.#clientsMade);
    const audit = new ClientAudit(`${place}.${run}`, own.chance(0.3), this.log, setting.retained, verdict);
    const client = new SimClient({
      timeline: this.timeline,
      random: own,
      window: setting.clientWindow,
      audit,
      log: this.log,
      verdict,
      sessionMs: SESSION_MS,
      dial: (from, transport) => this.#dial(place, from, transport),
      closed: () => this.timeline.after(own() * 1_000, () => this.#addClient(place, run + 1)),
      trace,
    });
    this.clients[place] = client;
    client.connect();
  }

  /** The balancer gives a pod that is there, as far as it knows. */
  #dial(place: number, client: SimClient, transport: number): void {
    const { setting, trace } = this.#options;
    const random = this.#network;
    const [least, most] = setting.latencyMs;
    const latencyMs: [number, number] = [least, most];
    const { timeline } = this;
    const name = `${client.audit.name}/${transport}`;
    const link = new ModelLink({
      timeline,
      random,
      latencyMs,
      ...(trace && { trace: (line) => trace(`${name} ${line}`) }),
    });
    client.links.set(transport, link);
    link.join('client', {
      data: (data, binary) => client.heard(transport, data, binary),
      lost: (code, reason) => client.lost(transport, code, reason),
    });
    if (this.#options.hasGateway) return this.#dialGateway(place, client, transport, { link, latencyMs });
    timeline.after(2 * (least + random() * (most - least)), () => {
      const ready = this.pods.filter((pod) => !pod.isDraining || random.chance(0.05));
      const pod = ready[Math.floor(random() * ready.length)];
      if (!pod || timeline.nowMs < (this.#offlineUntilMs[place] ?? 0)) return client.lost(transport, 1006, '');
      pod.host.run(() => {
        if (!client.links.has(transport)) return;
        this.#connections[place] = { link, latencyMs };
        pod.accept(link, client.audit);
        timeline.after(least, () => client.opened(transport));
      });
    });
  }

  /** The client is connected if the gateway finds a pod. */
  #dialGateway(place: number, client: SimClient, transport: number, connection: Connection): void {
    const { timeline } = this;
    const [least, most] = connection.latencyMs;
    const gateway = new SimGateway({
      timeline,
      random: this.#network,
      front: connection.link,
      dial: () => this.#linkToPod(client),
    });
    timeline.after(2 * (least + this.#network() * (most - least)), () => {
      const isOffline = timeline.nowMs < (this.#offlineUntilMs[place] ?? 0);
      if (!client.links.has(transport)) return;
      if (isOffline || !gateway.open()) return client.lost(transport, 1006, '');
      this.#connections[place] = connection;
      timeline.after(least, () => client.opened(transport));
    });
  }

  /** From the gateway to a pod that runs. */
  #linkToPod(client: SimClient): ModelLink | undefined {
    const { timeline } = this;
    const { trace } = this.#options;
    const random = this.#network;
    const ready = this.pods.filter((pod) => !pod.host.isPaused && (!pod.isDraining || random.chance(0.05)));
    const pod = ready[Math.floor(random() * ready.length)];
    if (!pod) return undefined;
    const name = `${client.audit.name}/gateway-${pod.name}`;
    const link = new ModelLink({
      timeline,
      random,
      latencyMs: [0, 2],
      ...(trace && { trace: (line) => trace(`${name} ${line}`) }),
    });
    pod.host.run(() => pod.accept(link, client.audit));
    return link;
  }

  // ------------------------------------------------------------------------------------------------------ what happens

  perform(op: Op): void {
    const place = Math.floor(op.pick * this.clients.length);
    const client = this.clients[place];
    if (!client) return;
    const { timeline } = this;
    const { link, latencyMs } = this.#connections[place] ?? {};
    switch (op.do) {
      case 'send':
        for (const command of op.commands) client.say(command);
        return;
      case 'close':
        return client.close();
      case 'serverClose':
        return this.#serverClose(place, client);
      case 'cut':
        return link?.cut(op.unaware);
      case 'cutAfter':
        return link?.cutAfter(op.from, op.bytes);
      case 'blackHole':
        return link?.blackHole(...op.from);
      case 'lag':
        if (latencyMs) latencyMs[0] = latencyMs[1] = op.ms;
        return;
      case 'offline':
        this.#offlineUntilMs[place] = timeline.nowMs + op.ms;
        return link?.cut();
      case 'sleep':
        client.host.pause();
        return timeline.after(op.ms, () => client.host.continue());
      case 'hint':
        return client.hint(op.hint);
      case 'storeFails':
      case 'storeHangs':
      case 'answersLost':
      case 'wakesLate':
        return this.#troubleStore(op);
      default:
        return this.#performOnPod(op);
    }
  }

  #performOnPod(op: Extract<Op, { do: 'stall' | 'kill' | 'pause' | 'drain' }>): void {
    const pod = this.#podOf(op);
    const { timeline } = this;
    if (!pod) return;
    switch (op.do) {
      case 'stall': {
        const transports = [...pod.transports].filter((transport) => transport.open);
        const transport = transports[Math.floor(op.pick * 997) % transports.length];
        if (!transport) return;
        transport.stall(timeline.nowMs);
        return timeline.after(op.ms, () => pod.host.run(() => transport.unstall()));
      }
      case 'kill':
        return this.#remove(pod, op.silently);
      case 'pause':
        pod.host.pause();
        return timeline.after(op.ms, () => pod.host.continue());
      case 'drain':
        return pod.host.run(() => void this.#drain(pod, op.deadlineMs));
    }
  }

  #podOf({ pick }: Op): SimPod | undefined {
    return this.pods[Math.floor(((pick * 31) % 1) * this.pods.length)];
  }

  #remove(pod: SimPod, isSilent: boolean): void {
    pod.kill(isSilent);
    this.pods = this.pods.filter((other) => other !== pod);
    this.timeline.after(this.#network() * REPLACED_MS, () => this.#addPod());
  }

  async #drain(pod: SimPod, deadlineMs: number): Promise<void> {
    await pod.drain(deadlineMs);
    this.#remove(pod, false);
  }

  #serverClose(place: number, client: SimClient): void {
    const pod = this.pods.find(({ application }) => application.sockets.has(`${place}`));
    pod?.host.run(() => {
      client.expectClose();
      pod.application.sockets.get(`${place}`)?.close(APPLICATION_CLOSE, 'bye');
    });
  }

  #troubleStore(op: Extract<Op, { do: 'storeFails' | 'storeHangs' | 'answersLost' | 'wakesLate' }>): void {
    const isForAll = op.do !== 'wakesLate' && op.all;
    const trouble = isForAll ? this.#trouble : this.#podOf(op)?.store.trouble;
    if (!trouble) return;
    const untilMs = this.timeline.nowMs + op.ms;
    if (op.do === 'storeFails') trouble.failUntilMs = untilMs;
    else if (op.do === 'storeHangs') trouble.hangUntilMs = untilMs;
    else if (op.do === 'answersLost') trouble.answersLostUntilMs = untilMs;
    else trouble.wakesLateUntilMs = untilMs;
  }

  // ------------------------------------------------------------------------------------------------------ how it stands

  get isRepaired(): boolean {
    return this.#isRepaired;
  }

  /** Everything works from now on. */
  repair(): void {
    this.#isRepaired = true;
    for (const trouble of [this.#trouble, ...this.pods.map(({ store }) => store.trouble)])
      Object.assign(trouble, noTrouble());
    for (const pod of this.pods) {
      pod.host.continue();
      pod.application.isQuiet = true;
      for (const transport of pod.transports) pod.host.run(() => transport.unstall());
    }
    for (const { latencyMs } of this.#connections.filter(Boolean))
      latencyMs.splice(0, 2, ...this.#options.setting.latencyMs);
    this.#offlineUntilMs.length = 0;
    for (const client of this.clients) {
      client.host.continue();
      client.hint('visible');
    }
  }

  /** Who is not content yet, and why. */
  get unrest(): string | undefined {
    for (const { audit, unrest } of this.clients) if (unrest !== undefined) return `${audit.name} ${unrest}`;
    return undefined;
  }

  /** What is over its bound. */
  checkBounds(): void {
    const { verdict, setting } = this.#options;
    for (const { name, pod } of this.pods) {
      for (const { id, machine } of pod.sessions.values()) {
        const uncommitted = machine.received - machine.watermark;
        if (uncommitted > setting.serverWindow.messages)
          verdict.blame('memory', `${name} holds ${uncommitted} of ${id}`);
      }
      const held = pod.sessions.size;
      if (held > 40 * this.clients.length) verdict.blame('memory', `${name} holds ${held} sessions`);
    }
  }
}
