import { scripts } from './lua/scripts.js';
import { readTurns, type Turn, writeTurns } from './replies.js';
import type { Runner } from './runner.js';

/** More turns than these are not kept while their topics cannot be told; topics that seem to be followed are asked from time to time. */
const PENDING_MAX = 10_000;

/**
 * Tells the topics of a cluster which slot groups have sessions that follow them: what is followed is not forgotten. A topic takes the turns of a
 * group in whatever order they come, see the script FOLLOW.
 */
export class Follows {
  readonly #runner: () => Runner;
  #pending = new Map<string, { readonly group: number; readonly turn: Turn }>();

  constructor(runner: () => Runner) {
    this.#runner = runner;
  }

  turned(group: number, turns: readonly Turn[]): void {
    for (const turn of turns) {
      const key = `${group} ${turn.topic}`;
      const known = this.#pending.get(key);
      if (known !== undefined && known.turn.turn > turn.turn) continue;
      if (known !== undefined || this.#pending.size < PENDING_MAX) this.#pending.set(key, { group, turn });
    }
  }

  /** Tells what has not been told. What fails is kept; that somebody follows must be told, that nobody does may wait. */
  async flush(): Promise<void> {
    if (this.#pending.size === 0) return;
    const runner = this.#runner();
    const pending = [...this.#pending.values()];
    this.#pending = new Map();
    const calls = new Map<string, { group: number; to: number; turns: Turn[] }>();
    for (const { group, turn } of pending) {
      const to = runner.groups.of(turn.topic);
      const call = calls.get(`${group} ${to}`) ?? { group, to, turns: [] };
      calls.set(`${group} ${to}`, call);
      call.turns.push(turn);
    }
    let failure: Error | undefined;
    await Promise.all(
      [...calls.values()].map(async ({ group, to, turns }) => {
        try {
          await runner.run(to, scripts.follow, { group, turns: writeTurns(turns) });
        } catch (error) {
          this.turned(group, turns);
          if (turns.some(({ isFollowed }) => isFollowed)) failure = error as Error;
        }
      }),
    );
    if (failure !== undefined) throw failure;
  }

  /** Asks a group whether it follows these topics, to tell them. */
  async ask(group: number, topics: readonly string[]): Promise<void> {
    const turns = await this.#runner().run(group, scripts.refs, { topics });
    this.turned(group, readTurns(turns as (string | number)[]));
  }
}
