import { expect, onTestFinished } from 'vitest';
import type {
  Batch,
  Claim,
  Content,
  Effect,
  EffectResult,
  NewSession,
  Part,
  PartResult,
  Refusal,
  Retention,
  SessionState,
  Store,
  StreamKey,
  Tail,
  Wake,
} from './store.js';

/** A store and what the suite may do to it. What is absent is not tested. */
export interface StoreUnderTest {
  readonly store: Store;
  /** Opens the same data once more, as another process would. */
  readonly peer?: () => Promise<Store>;
  /** Opens the data again after all who used it have gone without a word. */
  readonly reopen?: () => Promise<Store>;
  /** Makes the next commit throw 'on purpose' before its effect of this number, counted from 0 over all its parts. */
  readonly failAt?: (effect: number) => void;
}

/** Opens an empty store. The suite closes it, its peers and what was reopened. */
export type OpenStore = (options?: { readonly retention?: Partial<Retention> }) => Promise<StoreUnderTest>;

/** What a store must never read from a clock is given to it: this moment, and some milliseconds more. */
export const NOW = 1_750_000_000_000;
export const LIFE_MS = 60_000;

/** Opens a store for one test. */
export async function opened(open: OpenStore, retention?: Partial<Retention>): Promise<StoreUnderTest> {
  const test = await open(retention && { retention });
  const closing = <S extends Store>(store: S): S => {
    onTestFinished(() => store.close());
    return store;
  };
  const { peer, reopen } = test;
  return {
    ...test,
    store: closing(test.store),
    ...(peer && { peer: async () => closing(await peer()) }),
    ...(reopen && { reopen: async () => closing(await reopen()) }),
  };
}

/** What stands for the hash of a token: as long as one, and easy to tell apart. */
export function hashOf(token: string): string {
  return token.padEnd(43, '-');
}

export function newSession(id: string, fields: Partial<NewSession> = {}): NewSession {
  return { id, pod: 'a', token: hashOf('t1'), nowMs: NOW, lifeMs: LIFE_MS, request: '{}', ...fields };
}

let attempts = 0;

/** Each is a later attempt than all before it. */
export function claim(id: string, fields: Partial<Claim> = {}): Claim {
  attempts += 1;
  return { id, pod: 'b', presented: hashOf('t1'), attempt: attempts, next: hashOf('t2'), nowMs: NOW, ...fields };
}

/** Attaches, and fails the test where that is refused. */
export async function attached(store: Store, id: string, fields: Partial<Claim> = {}): Promise<SessionState> {
  return stateOf(await store.attach(claim(id, fields)));
}

export function stateOf(answer: SessionState | Refusal): SessionState {
  if (typeof answer === 'string') expect.fail(`the attach was answered '${answer}'`);
  return answer;
}

export function content(text: string): Content {
  return { data: new TextEncoder().encode(text), binary: false };
}

export function send(session: string, epoch: number, text: string): Effect {
  return { type: 'send', session, epoch, ...content(text) };
}

export function publish(topic: string, text: string): Effect {
  return { type: 'publish', topic, ...content(text) };
}

export function subscribe(session: string, epoch: number, topic: string): Effect {
  return { type: 'subscribe', session, epoch, topic };
}

export function batch(parts: readonly Part[], fields: Partial<Batch> = {}): Batch {
  return { pod: 'a', nowMs: NOW, parts, ...fields };
}

/**
 * Two claims at once, each for a store and pod of its own: the states of those that got the session, oldest first. The earlier
 * attempt may come late; then it gets none.
 */
export async function raced(stores: readonly Store[], id: string): Promise<{ pod: string; state: SessionState }[]> {
  const claims = stores.map((_, index) => claim(id, { pod: `pod-${index}`, next: hashOf(`next-${index}`) }));
  const answers = await Promise.all(stores.map((store, index) => store.attach(claims[index]!)));
  return answers
    .flatMap((answer, index) => (answer === 'late' ? [] : [{ pod: claims[index]!.pod, state: stateOf(answer) }]))
    .sort((one, other) => one.state.epoch - other.state.epoch);
}

/** Commits effects that stand for themselves and returns where they landed. */
export async function commit(
  store: Store,
  effects: readonly Effect[],
  fields: Partial<Batch> = {},
): Promise<readonly EffectResult[]> {
  const { parts } = await store.commit(batch([{ effects }], fields));
  return effectsOf(parts[0]);
}

/** Commits one part under a guard. */
export async function commitPart(
  store: Store,
  [session, epoch]: readonly [string, number],
  part: Partial<Part>,
  fields: Partial<Batch> = {},
): Promise<PartResult> {
  const { parts } = await store.commit(batch([{ guard: { session, epoch }, effects: [], ...part }], fields));
  return parts[0]!;
}

export function effectsOf(result: PartResult | undefined): readonly EffectResult[] {
  if (result === undefined || result.fenced) expect.fail('the part was fenced');
  return result.effects;
}

export function offsetOf(result: EffectResult | undefined): number | undefined {
  return result === 'fenced' ? undefined : result?.offset;
}

/** The payloads of a stream behind an offset, as text, each with its offset. */
export async function entriesOf(store: Store, stream: StreamKey, after = 0): Promise<[offset: number, text: string][]> {
  const { entries } = await store.read(stream, after, { entries: 1000, bytes: 1_000_000 });
  return entries.map(({ offset, data }) => [offset, new TextDecoder().decode(data)]);
}

/** A tail that keeps what it was told. */
export interface ListeningTail extends Tail {
  readonly wakes: readonly Wake[];
  /** Resolves when `seen` holds of what was told so far. */
  until(seen: (wakes: readonly Wake[]) => boolean): Promise<void>;
}

export function listen(store: Store, pod: string, ...streams: StreamKey[]): ListeningTail {
  const wakes: Wake[] = [];
  const waiting = new Set<() => void>();
  const tail = store.tail(pod, (wake) => {
    wakes.push(wake);
    for (const look of waiting) look();
  });
  onTestFinished(() => tail.close());
  for (const stream of streams) tail.follow(stream);
  const until = (seen: (wakes: readonly Wake[]) => boolean): Promise<void> =>
    new Promise((resolve) => {
      const look = (): void => {
        if (!seen(wakes)) return;
        waiting.delete(look);
        resolve();
      };
      waiting.add(look);
      look();
    });
  return {
    wakes,
    until,
    follow: (stream) => tail.follow(stream),
    unfollow: (stream) => tail.unfollow(stream),
    close: () => tail.close(),
  };
}

/** The newest end that a tail was told of a stream. */
export function endTold(wakes: readonly Wake[], stream: StreamKey): number | undefined {
  return [...wakes]
    .reverse()
    .find((wake) => wake.streams.has(stream))
    ?.streams.get(stream);
}
