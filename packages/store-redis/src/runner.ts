import { errors, type Lost, HoldfastError, newEpoch, type Retention } from '@holdfast/store';
import type { Groups } from './groups.js';
import type { Script } from './lua/scripts.js';
import { type FenceReply, readFence, readTurns, type Turn } from './replies.js';
import type { Servers } from './servers.js';

export interface RunnerOptions {
  readonly prefix: string;
  readonly keep: Retention;
  readonly groups: Groups;
  readonly servers: Servers;
  readonly listener: RunnerListener;
  /** Asked before each script. A test kills this process between two. */
  readonly isAlive: () => boolean;
  /** The clock by which this process tells times. */
  readonly wallMs: () => number;
}

export interface RunnerListener {
  /** Another server, or an emptied one. */
  begunAnew(): void;
  /** A pod has lost a session. */
  fenced(pod: string, over: Lost): void;
  /** Sessions of a group have begun to follow topics as the first there, or ended as the last. Only in a cluster. */
  turned(group: number, turns: readonly Turn[]): void;
}

export interface RunOptions {
  readonly payloads?: readonly Buffer[];
  readonly as?: 'text' | 'bytes';
}

/** The history that a group had when it answered last, and the number of the last commit of it that is known. */
interface History {
  readonly life: string;
  readonly seen: number;
}

const UNKNOWN: History = { life: '', seen: 0 };

/** Runs scripts on slot groups, all of whose answers tell where the history of the group stands. */
export class Runner {
  /** Names this object among all that use the server. */
  readonly me = `${newEpoch()}${newEpoch()}`;
  readonly groups: Groups;
  readonly #options: RunnerOptions;
  readonly #histories = new Map<number, History>();

  constructor(options: RunnerOptions) {
    this.#options = options;
    this.groups = options.groups;
  }

  async run(
    group: number,
    script: Script,
    fields: object,
    { payloads = [], as = 'text' }: RunOptions = {},
  ): Promise<unknown> {
    const { prefix, keep, servers, listener, isAlive, wallMs } = this.#options;
    if (!isAlive()) throw new HoldfastError(errors.STORE_CLOSED);
    const spread = servers.isCluster ? prefix : undefined;
    const history = this.#histories.get(group) ?? UNKNOWN;
    const own = this.groups.prefixOf(group);
    const database = `${servers.database}`;
    const about = { me: this.me, seed: newEpoch(), keep, spread, database, wallMs: wallMs() };
    const args = JSON.stringify({ ...fields, ...history, ...about });
    const reply = await servers.run(group, script, `${own}meta`, [own, args, ...payloads], as);
    const [life, seen, result, fences, turns] = reply as Reply;
    this.#stands(group, String(life), seen);
    for (const { pod, over } of fences.map(readFence)) listener.fenced(pod, over);
    if (turns.length > 0) listener.turned(group, readTurns(turns));
    return result;
  }

  #stands(group: number, life: string, seen: number): void {
    const known = this.#histories.get(group) ?? UNKNOWN;
    this.#histories.set(group, { life, seen: known.life === life ? Math.max(known.seen, seen) : seen });
    if (known.life !== '' && known.life !== life) this.#options.listener.begunAnew();
  }
}

type Reply = readonly [
  life: string | Buffer,
  seen: number,
  result: unknown,
  fences: readonly FenceReply[],
  turns: readonly (string | Buffer | number)[],
];
