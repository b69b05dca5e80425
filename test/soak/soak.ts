import { setTimeout as delay } from 'node:timers/promises';
import { createPublisher } from '@holdfast/server';
import { RedisStore } from '@holdfast/store-redis';
import { type Random, seededRandom, until } from '@holdfast/testing';
import { RedisServer } from '../redis.fixture.js';
import { ClientProcess } from './client-process.js';
import { peakWithin, type Percentiles, percentilesOf } from './figures.js';
import { Pods } from './pods.js';
import type { ClientsReport } from './protocol.js';

export interface SoakOptions {
  /** `chaos`: cuts, kills, restarts, a store that pauses and dies. `rollout`: one rolling restart and nothing else. */
  readonly scenario: 'chaos' | 'rollout';
  readonly seed: number;
  /** How long messages flow, without what it takes to come to rest. A rollout takes as long as it takes, and at least so long. */
  readonly durationMs: number;
  readonly clients: number;
  readonly clientProcesses: number;
  readonly pods: number;
  /** By each client. */
  readonly messagesPerSecond: number;
  /** To all clients. */
  readonly newsPerSecond: number;
  readonly cutMs: number;
  readonly offlineMs: number;
  readonly killMs: number;
  readonly redisPauseMs: number;
  /** Moves per second that a drain asks for: the cap of a rollout. */
  readonly drainRate: number;
  /** By how much a machine that is busy with other things may bunch up what was asked for evenly, as a share of the cap. Default 0. */
  readonly tolerance?: number;
}

export interface SoakResult extends Omit<ClientsReport, 'firstProblem'> {
  readonly ok: boolean;
  readonly problems: readonly string[];
  readonly scenario: SoakOptions['scenario'];
  readonly seed: number;
  readonly clients: number;
  readonly pods: number;
  readonly tookMs: number;
  readonly kills: number;
  readonly rollingRestarts: number;
  readonly redisPauses: number;
  readonly redisRestarts: number;
  readonly news: number;
  readonly awayMs: Percentiles;
  readonly recoveryMs: Percentiles;
  readonly replayMs: Percentiles;
  /** Of each client, in all. */
  readonly transportlessMs: Percentiles;
  /** Connections that were begun, once all clients had their first. */
  readonly peakReconnectsPerSecond: number;
  readonly reconnectCapPerSecond: number | undefined;
}

/** What happened, for the report. */
interface Events {
  kills: number;
  rollingRestarts: number;
  redisPauses: number;
  redisRestarts: number;
  news: number;
}

/** Nothing new arrives for this long: then it never will. */
const REST_MS = 45_000;

/** Runs real pods, a real Redis and many clients, disturbs them as the scenario says, and judges what was delivered. */
export async function runSoak(options: SoakOptions, say: (line: string) => void): Promise<SoakResult> {
  const { seed, clients, clientProcesses, pods: count, messagesPerSecond, drainRate } = options;
  const random = seededRandom(seed);
  const startMs = performance.now();
  const problems: string[] = [];
  const note = (text: string): void => {
    if (problems.length < 100) problems.push(text);
    say(text);
  };
  // What it has answered it keeps, as far as a killed process goes.
  await using redis = await RedisServer.start(['--appendonly', 'yes', '--appendfsync', 'no']);
  await using pods = await Pods.start(count, redis.url, ['--drain-rate', `${drainRate}`, '--drain-deadline', '60s']);
  say(`${count} pods on port ${pods.port}, ${redis.url}`);
  using crowd = new Crowd(clientProcesses, note);
  const isChaos = options.scenario === 'chaos';
  await crowd.begin({
    port: pods.port,
    clients,
    seed,
    messagesPerSecond,
    cutMs: isChaos ? options.cutMs : 0,
    offlineMs: options.offlineMs,
  });
  say(`${clients} clients`);
  const connectedMs = Date.now();

  const events: Events = { kills: 0, rollingRestarts: 0, redisPauses: 0, redisRestarts: 0, news: 0 };
  const talking = new AbortController();
  const news = publishNews(redis.url, options.newsPerSecond, events, talking.signal);
  crowd.tell({ type: 'talk' });
  const watching = setInterval(() => say(crowd.inWords(startMs, events)), 10_000);
  try {
    if (isChaos) await chaos(options, { random, redis, pods, events, say });
    else await rollout(options, { pods, events, say });
    crowd.tell({ type: 'calm' });
    await until(() => crowd.sum('away') === 0, { timeoutMs: 120_000, what: 'all clients to be back' }).catch(
      (error: Error) => note(error.message),
    );
    talking.abort();
    crowd.tell({ type: 'hush' });
    await news;
    await crowd.rest(events.news);
  } finally {
    clearInterval(watching);
    talking.abort();
  }
  const { report, samples } = await crowd.finish(events.news);
  const { firstProblem, ...counts } = report;
  const dialled = samples.dialledAtMs.filter((ms) => ms >= connectedMs);
  const peak = peakWithin(dialled, 1_000);
  if (firstProblem !== undefined) note(firstProblem);
  if (counts.closes > 0) note(`${counts.closes} clients saw a close`);
  if (counts.received !== counts.sent) note(`${counts.received} of ${counts.sent} messages arrived`);
  if (!isChaos && peak > drainRate * (1 + (options.tolerance ?? 0)))
    note(`${peak} connections were begun within a second, more than ${drainRate}`);
  return {
    ok: problems.length === 0,
    problems,
    scenario: options.scenario,
    seed,
    clients,
    pods: count,
    tookMs: Math.round(performance.now() - startMs),
    ...events,
    ...counts,
    awayMs: percentilesOf(samples.awayMs),
    recoveryMs: percentilesOf(samples.recoveryMs),
    replayMs: percentilesOf(samples.replayMs),
    transportlessMs: percentilesOf(samples.transportlessMs),
    peakReconnectsPerSecond: peak,
    reconnectCapPerSecond: isChaos ? undefined : drainRate,
  };
}

/** All processes of clients as one. */
class Crowd implements Disposable {
  readonly #processes: readonly ClientProcess[];
  #clients = 0;

  constructor(count: number, note: (text: string) => void) {
    this.#processes = Array.from({ length: count }, () => new ClientProcess(note));
  }

  async begin(settings: Omit<Parameters<ClientProcess['begin']>[0], 'first'>): Promise<void> {
    this.#clients = settings.clients;
    const share = Math.ceil(settings.clients / this.#processes.length);
    await Promise.all(
      this.#processes.map((process, i) => {
        const first = i * share;
        return process.begin({ ...settings, first, clients: Math.min(share, settings.clients - first) });
      }),
    );
  }

  tell(order: Parameters<ClientProcess['tell']>[0]): void {
    for (const process of this.#processes) process.tell(order);
  }

  sum(key: 'sent' | 'received' | 'away' | 'recoveries' | 'moves' | 'cuts'): number {
    return this.#processes.reduce((sum, { progress }) => sum + (progress?.[key] ?? (key === 'away' ? 1 : 0)), 0);
  }

  /** Waits until everything has arrived, or nothing does any more. */
  async rest(news: number): Promise<void> {
    const isComplete = (): boolean => this.sum('received') >= this.sum('sent') + news * this.#clients;
    let [received, sinceMs] = [-1, performance.now()];
    while (!isComplete() && performance.now() - sinceMs < REST_MS) {
      await delay(500);
      if (this.sum('received') !== received) [received, sinceMs] = [this.sum('received'), performance.now()];
    }
    // The last word on how much was sent may be a second old.
    await delay(1_500);
  }

  async finish(news: number): Promise<{ report: ClientsReport; samples: Record<SampleName, number[]> }> {
    const all = await Promise.all(this.#processes.map((process) => process.finish(news)));
    const reports = all.map(({ report }) => report);
    const sum: Record<string, number> = {};
    for (const report of reports) {
      for (const [key, value] of Object.entries(report)) {
        if (typeof value === 'number') sum[key] = (sum[key] ?? 0) + value;
      }
    }
    const firstProblem = reports.map((report) => report.firstProblem).find((problem) => problem !== undefined);
    const samples = Object.fromEntries(SAMPLES.map((name) => [name, all.flatMap((one) => one.samples[name])]));
    return { report: { ...sum, firstProblem } as ClientsReport, samples: samples as Record<SampleName, number[]> };
  }

  inWords(startMs: number, { kills, rollingRestarts, redisPauses, redisRestarts, news }: Events): string {
    const seconds = Math.round((performance.now() - startMs) / 1_000);
    return (
      `${seconds} s: ${this.sum('sent')} sent, ${news} news, ${this.sum('received')} received, ${this.sum('away')} away; ` +
      `${this.sum('cuts')} cuts, ${kills} kills, ${rollingRestarts} rolling restarts, ` +
      `redis paused ${redisPauses}, restarted ${redisRestarts}; ` +
      `${this.sum('recoveries')} recoveries, ${this.sum('moves')} moves`
    );
  }

  [Symbol.dispose](): void {
    for (const process of this.#processes) process[Symbol.dispose]();
  }
}

const SAMPLES = ['awayMs', 'recoveryMs', 'replayMs', 'dialledAtMs', 'transportlessMs'] as const;
type SampleName = (typeof SAMPLES)[number];

/** From a process that holds no sockets, this one, until told to stop; then all of it is in the store. */
async function publishNews(url: string, perSecond: number, events: Events, signal: AbortSignal): Promise<void> {
  const store = await RedisStore.open({ url });
  const publisher = createPublisher({ store });
  const written: Promise<void>[] = [];
  while (!signal.aborted) {
    written.push(publisher.publish('news', `n ${++events.news}`));
    await delay(1_000 / perSecond, undefined, { signal }).catch(() => undefined);
  }
  await Promise.all(written);
  await publisher.close();
  await store.close();
}

interface Stage {
  readonly random: Random;
  readonly redis: RedisServer;
  readonly pods: Pods;
  readonly events: Events;
  readonly say: (line: string) => void;
}

async function chaos(options: SoakOptions, { random, redis, pods, events, say }: Stage): Promise<void> {
  const { durationMs, killMs, redisPauseMs } = options;
  const startMs = performance.now();
  const reached = (share: number): boolean => performance.now() - startMs >= share * durationMs;
  const at = async (share: number): Promise<void> => {
    await delay(Math.max(0, startMs + share * durationMs - performance.now()));
  };
  const killing = (async (): Promise<void> => {
    while (!reached(0.95)) {
      await delay(killMs * (0.8 + 0.4 * random()));
      while (!reached(0.95) && !pods.killOne(random)) await delay(100);
      if (!reached(0.95)) events.kills++;
    }
  })();
  const restart = async (): Promise<void> => {
    say('rolling restart');
    await pods.restart();
    events.rollingRestarts++;
  };
  await at(0.15);
  await restart();
  await at(0.4);
  say(`redis is paused for ${redisPauseMs} ms`);
  redis.pause();
  await delay(redisPauseMs);
  redis.resume();
  events.redisPauses++;
  await at(0.55);
  await restart();
  await at(0.8);
  say('redis is killed and started again');
  await redis.restart();
  events.redisRestarts++;
  await at(1);
  await killing;
}

async function rollout(
  { durationMs }: SoakOptions,
  { pods, events, say }: Omit<Stage, 'random' | 'redis'>,
): Promise<void> {
  const startMs = performance.now();
  await delay(durationMs * 0.2);
  say('rolling restart');
  await pods.restart();
  events.rollingRestarts++;
  await delay(Math.max(durationMs * 0.2, startMs + durationMs - performance.now()));
}
