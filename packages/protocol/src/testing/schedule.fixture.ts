import fc from 'fast-check';
import { seededRandom } from '@holdfast/testing';
import { Pair, type PairOptions } from './pair.js';

const TOPICS = ['news', 'chat'] as const;
type Topic = (typeof TOPICS)[number];

/** One thing that happens in a random schedule. `wait` comes first: how long after the one before, in milliseconds. */
export type Op = { readonly wait: number } & (
  | { readonly do: 'send' | 'serverSend' | 'serverSendElsewhere'; readonly count: number }
  | { readonly do: 'publish'; readonly topic: Topic; readonly count: number }
  | { readonly do: 'subscribe' | 'unsubscribe'; readonly topic: Topic }
  | { readonly do: 'cut'; readonly unaware: 'client' | 'server' | 'both' | 'none' }
  | { readonly do: 'cutAfter'; readonly from: 'client' | 'server'; readonly bytes: number }
  | { readonly do: 'blackHole'; readonly from: 'client' | 'server' | 'both' }
  | { readonly do: 'drain'; readonly withinMs: number }
  | { readonly do: 'crash'; readonly silently: boolean }
  | { readonly do: 'stop'; readonly side: 'client' | 'server'; readonly ms: number }
  | { readonly do: 'offline'; readonly ms: number }
  | { readonly do: 'hint'; readonly hint: 'online' | 'visible' | 'hidden' | 'woken' }
  | { readonly do: 'writable'; readonly ms: number }
  | { readonly do: 'late' | 'adopt' }
  | { readonly do: 'trim'; readonly topic: '' | Topic; readonly keep: number }
  | { readonly do: 'lose'; readonly topic: '' | Topic }
);

const wait = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 0, max: 40 }) },
  { weight: 3, arbitrary: fc.integer({ min: 0, max: 500 }) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 6_000 }) },
);
const count = fc.integer({ min: 1, max: 12 });
const topic = fc.constantFrom(...TOPICS);
const end = fc.constantFrom('client' as const, 'server' as const);

const talk = [
  fc.record({
    do: fc.constantFrom('send' as const, 'serverSend' as const, 'serverSendElsewhere' as const),
    count,
    wait,
  }),
  fc.record({ do: fc.constant('publish' as const), topic, count, wait }),
  fc.record({ do: fc.constantFrom('subscribe' as const, 'unsubscribe' as const), topic, wait }),
];
const faults = [
  fc.record({
    do: fc.constant('cut' as const),
    unaware: fc.constantFrom('client' as const, 'server' as const, 'both' as const, 'none' as const),
    wait,
  }),
  fc.record({ do: fc.constant('cutAfter' as const), from: end, bytes: fc.integer({ min: 0, max: 400 }), wait }),
  fc.record({ do: fc.constant('blackHole' as const), from: fc.oneof(end, fc.constant('both' as const)), wait }),
  fc.record({ do: fc.constant('drain' as const), withinMs: fc.integer({ min: 0, max: 500 }), wait }),
  fc.record({ do: fc.constant('crash' as const), silently: fc.boolean(), wait }),
  fc.record({ do: fc.constant('stop' as const), side: end, ms: fc.integer({ min: 100, max: 9_000 }), wait }),
  fc.record({ do: fc.constant('offline' as const), ms: fc.integer({ min: 10, max: 20_000 }), wait }),
  fc.record({
    do: fc.constant('hint' as const),
    hint: fc.constantFrom('online' as const, 'visible' as const, 'hidden' as const, 'woken' as const),
    wait,
  }),
  fc.record({ do: fc.constant('writable' as const), ms: fc.integer({ min: 1, max: 3_000 }), wait }),
  fc.record({ do: fc.constantFrom('late' as const, 'adopt' as const), wait }),
];
const losses = [
  fc.record({
    do: fc.constant('trim' as const),
    topic: fc.constantFrom('' as const, ...TOPICS),
    keep: fc.integer({ min: 0, max: 5 }),
    wait,
  }),
  fc.record({ do: fc.constant('lose' as const), topic: fc.constantFrom('' as const, ...TOPICS), wait }),
];

const scheduleOf = (arbitraries: fc.Arbitrary<Op>[]): fc.Arbitrary<Op[]> =>
  fc.array(fc.oneof(...arbitraries), { minLength: 1, maxLength: 80, size: 'max' });

/** Schedules under which nothing may be lost, and schedules in which the store loses history. */
export const faultySchedule = scheduleOf([...talk, ...talk, ...talk, ...faults]);
export const lossySchedule = scheduleOf([...talk, ...talk, ...faults, ...losses]);

/** Windows, latencies and policies, from generous to mean. */
export const setting = fc.record({
  seed: fc.integer({ min: 0, max: 0xffff_ffff }),
  clientWindow: fc.record({ messages: fc.constantFrom(1, 2, 5, 1_024), bytes: fc.constantFrom(1, 20, 100, 1_000_000) }),
  serverWindow: fc.record({ messages: fc.constantFrom(1, 2, 5, 1_024), bytes: fc.constantFrom(1, 20, 100, 1_000_000) }),
  latencyMs: fc.constantFrom([0, 0] as const, [1, 30] as const, [50, 400] as const),
  storeMs: fc.constantFrom([0, 0] as const, [0, 5] as const, [5, 300] as const),
});
export type Setting = typeof setting extends fc.Arbitrary<infer T> ? T : never;

/** Runs a schedule, repairs everything, and gives the pair back once the session is open and quiet. */
export function run(
  { seed, clientWindow, serverWindow, latencyMs, storeMs }: Setting,
  ops: readonly Op[],
  trace?: (line: string) => void,
): Pair {
  const options: PairOptions = {
    random: seededRandom(seed),
    window: clientWindow,
    policy: { window: serverWindow },
    latencyMs,
    storeMs,
    ...(trace && { trace }),
  };
  const pair = new Pair(options);
  pair.open();
  const numbers = { up: 0, down: 0, news: 0, chat: 0 };
  for (const op of ops) {
    pair.drive(op.wait);
    trace?.(`-- ${pair.nowMs} ${JSON.stringify(op)}`);
    perform(pair, op, numbers);
  }
  pair.isOnline = true;
  if (!pair.pods.some((pod) => pod.isAlive && !pod.isDraining)) pair.addPod();
  pair.driveUntil(() => isQuiet(pair), 600_000);
  return pair;
}

function perform(pair: Pair, op: Op, numbers: Record<'up' | 'down' | Topic, number>): void {
  switch (op.do) {
    case 'send':
      for (let i = 0; i < op.count; i++) pair.send(`${++numbers.up}`);
      return;
    case 'serverSend':
    case 'serverSendElsewhere':
      for (let i = 0; i < op.count; i++) pair.serverSend(`${++numbers.down}`, op.do === 'serverSend');
      return;
    case 'publish':
      for (let i = 0; i < op.count; i++) pair.publish(op.topic, `${++numbers[op.topic]}`, i % 2 === 0);
      return;
    case 'subscribe':
      return pair.subscribe(op.topic);
    case 'unsubscribe':
      return pair.unsubscribe(op.topic);
    case 'cut':
      return pair.link?.cut(op.unaware === 'none' ? [] : op.unaware === 'both' ? ['client', 'server'] : [op.unaware]);
    case 'cutAfter':
      return pair.link?.cutAfter(op.from, op.bytes);
    case 'blackHole':
      return pair.link?.blackHole(...(op.from === 'both' ? (['client', 'server'] as const) : [op.from]));
    case 'drain':
      pair.addPod();
      return pair.pod?.drain(op.withinMs, op.withinMs + 1_000);
    case 'crash':
      pair.addPod();
      return pair.pod?.crash({ silently: op.silently });
    case 'stop':
      return op.side === 'client' ? pair.clientProcess.stop(op.ms) : pair.pod?.process.stop(op.ms);
    case 'offline':
      pair.isOnline = false;
      pair.link?.cut();
      return pair.timeline.after(op.ms, () => (pair.isOnline = true));
    case 'hint':
      return pair.hint(op.hint);
    case 'writable':
      return pair.pauseWriting(op.ms);
    case 'adopt':
      return pair.adopt();
    case 'late':
      return pair.deliverLateResume();
    case 'trim':
      if (pair.session) pair.store.log(pair.session.id, op.topic).trim(op.keep);
      return;
    case 'lose':
      if (pair.session) pair.store.lose(pair.session.id, op.topic);
      return;
  }
}

/** Whether all that was sent has arrived and is acknowledged, and the session is open. */
function isQuiet(pair: Pair): boolean {
  return pair.client.state === 'closed' || (pair.isUpToDate && pair.client.statistics.waitingMessages === 0);
}
