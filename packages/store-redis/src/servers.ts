import type { Arguments, Client } from './connection.js';
import type { Script } from './lua/scripts.js';

/** The server or servers behind a store: where scripts run, and where wake-ups are heard. */
export interface Servers {
  readonly isCluster: boolean;
  /** The number of the database where the keys are. */
  readonly database: number;
  /** Resolves when all that is needed is there, rejects when it is not within the time. */
  opened(withinMs: number): Promise<void>;
  /** What INFO says of each server that has keys of ours. */
  info(): Promise<string[]>;
  /** One group on each of these servers. */
  samples(): number[];
  /** Runs a script where the keys of this group lie; `key` is one of them. */
  run(group: number, script: Script, key: string, args: Arguments, as: 'text' | 'bytes'): Promise<unknown>;
  /** Looks after connections that nobody else would notice to be dead, or to lead to the wrong server. Called every `checkMs`. */
  tend(): void;
  close(): void;
}

export interface ServersOptions {
  readonly commandMs: number;
  /** Scripts can be run again: what was missed meanwhile should be looked for. */
  readonly ready: () => void;
  /** This is the connection on which wake-ups are heard from now on. */
  readonly listening: (client: Client) => void;
}
