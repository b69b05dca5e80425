import type { Random } from '@holdfast/testing';

/** One thing that happens in a run. `wait`: how long after the one before, in milliseconds. `pick` chooses whom it happens to. */
export type Op = { readonly wait: number; readonly pick: number } & (
  | { readonly do: 'send'; readonly commands: readonly string[] }
  | { readonly do: 'close' | 'serverClose' }
  | { readonly do: 'cut'; readonly unaware: readonly ('client' | 'server')[] }
  | { readonly do: 'cutAfter'; readonly from: 'client' | 'server'; readonly bytes: number }
  | { readonly do: 'blackHole'; readonly from: readonly ('client' | 'server')[] }
  | { readonly do: 'lag'; readonly ms: number }
  | { readonly do: 'offline' | 'sleep'; readonly ms: number }
  | { readonly do: 'stall'; readonly ms: number }
  | { readonly do: 'hint'; readonly hint: 'online' | 'visible' | 'hidden' | 'woken' }
  | { readonly do: 'kill'; readonly silently: boolean }
  | { readonly do: 'pause'; readonly ms: number }
  | { readonly do: 'drain'; readonly deadlineMs: number }
  | { readonly do: 'storeFails' | 'storeHangs' | 'answersLost'; readonly ms: number; readonly all: boolean }
  | { readonly do: 'wakesLate'; readonly ms: number }
);

export type Kind = Op['do'];

export interface Setting {
  readonly clients: number;
  readonly pods: number;
  /** What clients let the server send, and the other way round. */
  readonly clientWindow: { readonly messages: number; readonly bytes: number };
  readonly serverWindow: { readonly messages: number; readonly bytes: number };
  readonly latencyMs: readonly [number, number];
  readonly storeMs: readonly [number, number];
  readonly skewMs: number;
  /** Entries that the store keeps of a stream: few in some runs, so that there are gaps to be told. */
  readonly retained: number;
}

const MESSAGES = [1, 2, 5, 64] as const;
const BYTES = [1, 40, 400, 1_000_000] as const;

export function settingOf(random: Random): Setting {
  const window = () => ({ messages: random.pick(MESSAGES), bytes: random.pick(BYTES) });
  return {
    clients: random.int(2, 8),
    pods: random.int(2, 4),
    clientWindow: window(),
    serverWindow: window(),
    latencyMs: random.pick([
      [0, 0],
      [1, 30],
      [20, 250],
    ] as const),
    storeMs: random.pick([
      [0, 0],
      [0, 5],
      [2, 120],
    ] as const),
    skewMs: random.pick([0, 400]),
    retained: random.chance(0.15) ? random.int(2, 12) : 10_000,
  };
}

export const isLossy = ({ retained }: Setting): boolean => retained < 10_000;

type Draw = (random: Random) => { readonly do: Kind } & object;

const SIDES = [['client'], ['server'], ['client', 'server']] as const;

/** What may happen, and how often beside the rest. */
const TABLE: readonly (readonly [weight: number, draw: Draw])[] = [
  [90, (random) => ({ do: 'send', commands: Array.from({ length: random.int(1, 8) }, () => command(random)) })],
  [1, () => ({ do: 'close' })],
  [1, () => ({ do: 'serverClose' })],
  [6, (random) => ({ do: 'cut', unaware: random.pick([[], ...SIDES]) })],
  [6, (random) => ({ do: 'cutAfter', from: random.pick(['client', 'server']), bytes: random.int(0, 600) })],
  [3, (random) => ({ do: 'blackHole', from: random.pick(SIDES) })],
  [3, (random) => ({ do: 'lag', ms: random.int(500, 20_000) })],
  [3, (random) => ({ do: 'offline', ms: random.chance(0.1) ? random.int(40_000, 90_000) : random.int(10, 15_000) })],
  [2, (random) => ({ do: 'sleep', ms: random.int(100, 15_000) })],
  [3, (random) => ({ do: 'stall', ms: random.int(10, 8_000) })],
  [3, (random) => ({ do: 'hint', hint: random.pick(['online', 'visible', 'hidden', 'woken']) })],
  [3, (random) => ({ do: 'kill', silently: random.chance(0.3) })],
  [3, (random) => ({ do: 'pause', ms: random.int(100, 20_000) })],
  [2, (random) => ({ do: 'drain', deadlineMs: random.int(500, 8_000) })],
  [2, (random) => ({ do: 'storeFails', ms: random.int(100, 8_000), all: random.chance(0.5) })],
  [2, (random) => ({ do: 'storeHangs', ms: random.int(100, 8_000), all: random.chance(0.5) })],
  [2, (random) => ({ do: 'answersLost', ms: random.int(100, 8_000), all: random.chance(0.5) })],
  [3, (random) => ({ do: 'wakesLate', ms: random.int(100, 5_000) })],
];
const TOTAL = TABLE.reduce((sum, [weight]) => sum + weight, 0);

/** What a client asks of the application: echo, publish, send to another client, follow a topic, leave it, throw. */
function command(random: Random): string {
  const topic = random.int(0, 2);
  const n = random.int(0, 99);
  if (n < 45) return 'e';
  if (n < 65) return `p${topic}`;
  if (n < 75) return `o${random.int(0, 7)}`;
  if (n < 89) return `s${topic}`;
  if (n < 95) return `u${topic}`;
  return 'x';
}

function waitOf(random: Random): number {
  const n = random();
  if (n < 0.66) return random.int(0, 40);
  if (n < 0.92) return random.int(0, 500);
  return random.int(0, 6_000);
}

/** The operation with this number: it depends on the seed and the number only, so that others can be left out. */
export function opOf(random: Random, index: number): Op {
  const own = random.fork(index);
  const wait = waitOf(own);
  const pick = own();
  let left = own() * TOTAL;
  for (const [weight, draw] of TABLE) {
    left -= weight;
    if (left < 0) return { wait, pick, ...draw(own) } as Op;
  }
  throw new RangeError('the weights do not add up');
}
