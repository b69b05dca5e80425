import type { Lost, StreamKey, Tail, Wake } from './store.js';

/** The tails that are open in this process, and who of them follows what. */
export class Tails {
  readonly #followers = new Map<StreamKey, Set<PodTail>>();
  readonly #pods = new Map<string, Set<PodTail>>();

  open(pod: string, listener: (wake: Wake) => void): Tail {
    const tail = new PodTail(pod, listener, this.#followers);
    addTo(this.#pods, pod, tail);
    return {
      follow: (stream) => tail.follow(stream),
      unfollow: (stream) => tail.unfollow(stream),
      close: () => {
        tail.close();
        removeFrom(this.#pods, pod, tail);
      },
    };
  }

  /** A stream has grown to `end`. The pod that wrote knows, and is not woken. */
  grew(stream: StreamKey, end: number, writer?: string): void {
    const tails = this.#followers.get(stream);
    if (tails === undefined) return;
    for (const tail of tails) if (tail.pod !== writer) tail.wakeUp(stream, end);
  }

  /** A pod no longer holds a session under this epoch or an older one. */
  fence(pod: string, over: Lost): void {
    for (const tail of this.#pods.get(pod) ?? []) tail.fence(over);
  }

  /** The streams that any tail follows. */
  followed(): Iterable<StreamKey> {
    return this.#followers.keys();
  }

  follows(stream: StreamKey): boolean {
    return this.#followers.has(stream);
  }

  /** The pods that follow a stream. */
  podsThatFollow(stream: StreamKey): string[] {
    return [...(this.#followers.get(stream) ?? [])].map(({ pod }) => pod);
  }
}

/** Gathers what happens within a turn and hands it over as one wake-up, never from within the call that caused it. */
class PodTail implements Tail {
  readonly pod: string;
  readonly #listener: (wake: Wake) => void;
  readonly #followers: Map<StreamKey, Set<PodTail>>;
  readonly #followed = new Set<StreamKey>();
  #grown: Map<StreamKey, number> | undefined;
  #fenced: Lost[] = [];
  #isOpen = true;

  constructor(pod: string, listener: (wake: Wake) => void, followers: Map<StreamKey, Set<PodTail>>) {
    this.pod = pod;
    this.#listener = listener;
    this.#followers = followers;
  }

  follow(stream: StreamKey): void {
    if (!this.#isOpen) return;
    this.#followed.add(stream);
    addTo(this.#followers, stream, this);
  }

  unfollow(stream: StreamKey): void {
    this.#followed.delete(stream);
    this.#grown?.delete(stream);
    removeFrom(this.#followers, stream, this);
  }

  close(): void {
    this.#isOpen = false;
    for (const stream of this.#followed) this.unfollow(stream);
  }

  wakeUp(stream: StreamKey, end: number): void {
    this.#gather().set(stream, end);
  }

  fence(over: Lost): void {
    this.#gather();
    this.#fenced.push(over);
  }

  #gather(): Map<StreamKey, number> {
    if (this.#grown === undefined) {
      this.#grown = new Map();
      queueMicrotask(() => this.#deliver());
    }
    return this.#grown;
  }

  #deliver(): void {
    const streams = this.#grown ?? new Map<StreamKey, number>();
    const fenced = this.#fenced;
    this.#grown = undefined;
    this.#fenced = [];
    if (this.#isOpen && (streams.size > 0 || fenced.length > 0)) this.#listener({ streams, fenced });
  }
}

function addTo<Key, Member>(groups: Map<Key, Set<Member>>, key: Key, member: Member): void {
  const group = groups.get(key);
  if (group === undefined) groups.set(key, new Set([member]));
  else group.add(member);
}

function removeFrom<Key, Member>(groups: Map<Key, Set<Member>>, key: Key, member: Member): void {
  const group = groups.get(key);
  if (group?.delete(member) === true && group.size === 0) groups.delete(key);
}
