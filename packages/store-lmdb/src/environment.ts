import { closeSync, fsync, fsyncSync, openSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { errors, HoldfastError, type StoreStats } from '@holdfast/store';
import { type Database, open, type RootDatabase, TransactionFlags } from 'lmdb';
import { checkDataFile } from './data-file.js';
import { translated } from './failures.js';
import { Gate, PRIVATE } from './gate.js';
import type { KeyRange } from './keys.js';
import { flushNames, readMarker, writeMarker } from './marker.js';

/** Another process may be between two steps of opening or closing the same files; it is through within a millisecond. */
const OPEN_ATTEMPTS = 10;
const OPEN_PAUSE_MS = 20;

export interface EnvironmentOptions {
  readonly directory: string;
  readonly durability: 'process' | 'disk';
  readonly mapBytes: number;
  readonly bootId: string | undefined;
}

interface Files {
  readonly gate: Gate;
  readonly root: RootDatabase<Buffer, Buffer>;
  readonly directory: string;
  readonly dataPath: string;
}

export type Binary = Database<Buffer, Buffer>;

/** The files of a store: one LMDB environment with its tables, the gate, and the marker. */
export class Environment {
  readonly #gate: Gate;
  readonly #root: RootDatabase<Buffer, Buffer>;
  readonly #dataPath: string;
  readonly #directory: string;
  #isOpen = true;

  /** Session id to its record. */
  readonly sessions: Binary;
  /** Session id and a kind to what is read when a session moves: request, data, cursors. */
  readonly facts: Binary;
  /** Topic to its record. */
  readonly topics: Binary;
  /** Stream and offset to an entry. */
  readonly entries: Binary;
  /** Owners and times to what must be found by them. */
  readonly index: Binary;
  /** Pod to its lease. */
  readonly pods: Binary;

  private constructor({ gate, root, directory, dataPath }: Files) {
    this.#gate = gate;
    this.#root = root;
    this.#directory = directory;
    this.#dataPath = dataPath;
    const table = (name: string): Binary => root.openDB({ name, encoding: 'binary', keyEncoding: 'binary' });
    this.sessions = table('sessions');
    this.facts = table('facts');
    this.topics = table('topics');
    this.entries = table('entries');
    this.index = table('index');
    this.pods = table('pods');
  }

  static async open(options: EnvironmentOptions): Promise<Environment> {
    for (let attempt = 1; ; attempt++) {
      try {
        return translated(() => openFiles(options, (files) => new Environment(files)));
      } catch (error) {
        // What we refuse stays refused. What LMDB says may be of a file that is just being made, or of a lock that the last process
        // to leave has just taken apart.
        const isFinal = error instanceof HoldfastError && !error.retryable && error.cause === undefined;
        if (isFinal || attempt === OPEN_ATTEMPTS) throw error;
        await delay(OPEN_PAUSE_MS);
      }
    }
  }

  /** Runs the body in one transaction: all of it is committed when this returns, or nothing when it throws. */
  write<T>(body: () => T): T {
    this.#checkOpen();
    return translated(() =>
      this.#gate.within(() =>
        this.#root.transactionSync(() => {
          // As in the gate: 0 says that there is no transaction.
          if (!(this.#root.getWriteTxnId() > 0)) throw new HoldfastError(errors.STORE, 'no transaction can be begun');
          return body();
        }, TransactionFlags.SYNCHRONOUS_COMMIT),
      ),
    );
  }

  /** Runs the body on one state of the store, the newest. Nothing may be kept of it that reads later. */
  read<T>(body: () => T): T {
    this.#checkOpen();
    // lmdb-js keeps a state until the next timer; a wake-up that came in between would look at the past.
    this.#root.resetReadTxn();
    try {
      return translated(body);
    } finally {
      // A state that is held keeps pages from being used again: the file would grow.
      this.#root.resetReadTxn();
    }
  }

  /** The number of the last commit of any process. */
  lastCommit(): number {
    return (this.#root.getStats() as { lastTxnId: number }).lastTxnId;
  }

  /** Bytes of the pages that hold something. */
  usedBytes(): number {
    const tables = [this.sessions, this.facts, this.topics, this.entries, this.index, this.pods];
    return this.read(() => tables.map(statsOf).reduce((sum, { bytes }) => sum + bytes, 0));
  }

  counts(): StoreStats {
    return this.read(() => {
      const [sessions, topics, entries] = [this.sessions, this.topics, this.entries].map(
        (table) => statsOf(table).keys,
      );
      return {
        sessions: sessions!,
        streams: sessions! + topics!,
        entries: entries!,
        bytes: statSync(this.#dataPath).size,
      };
    });
  }

  /** Frees the places of readers that were killed, so that the pages they looked at can be used again. */
  forgetDeadReaders(): void {
    this.#root.readerCheck();
  }

  /** With `isLast`, no other process has the store open: then all is flushed, and a reboot loses nothing. */
  async close(isLast: () => boolean): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    const data = openSync(this.#dataPath, 'r');
    try {
      // Most of it outside of the gate, where it holds nobody up.
      if (isLast()) await promisify(fsync)(data);
      this.#gate.within(() => {
        const { unflushed, ...flushed } = readMarker(this.#directory);
        if (unflushed !== undefined && isLast()) {
          fsyncSync(data);
          writeMarker(this.#directory, flushed);
        }
        void this.#root.close();
      });
    } finally {
      closeSync(data);
    }
    await this.#gate.close();
  }

  #checkOpen(): void {
    if (!this.#isOpen) throw new HoldfastError(errors.STORE_CLOSED);
  }
}

/** Opens the files, and what uses them while nobody else is inside of the gate: that opens the tables. */
function openFiles(
  { directory, durability, mapBytes, bootId }: EnvironmentOptions,
  use: (files: Files) => Environment,
): Environment {
  // Named after the run of the machine: a lock file of an earlier run is never looked at.
  const gateName = `gate-${bootId ?? 'any'}.mdb`;
  const dataPath = join(directory, 'data.mdb');
  // Commits are flushed one by one where it is asked for, and where a reboot could not be told from a restart.
  const flushes = durability === 'disk' || bootId === undefined;
  const gate = Gate.open(join(directory, gateName));
  try {
    return gate.within(() => {
      const marker = readMarker(directory);
      let { unflushed } = marker;
      if (unflushed !== undefined && unflushed !== bootId) {
        for (const name of [dataPath, `${dataPath}-lock`]) rmSync(name, { force: true });
        unflushed = undefined;
      }
      if (!flushes) unflushed = bootId;
      if (marker.unflushed !== unflushed || !hasMarker(directory)) {
        const { store, format } = marker;
        writeMarker(directory, { store, format, ...(unflushed !== undefined && { unflushed }) });
      }
      removeGatesBut(directory, gateName);
      checkDataFile(dataPath);
      const root = open<Buffer, Buffer>({
        path: dataPath,
        noSubdir: true,
        noSync: !flushes,
        overlappingSync: false,
        // Twice the bound: LMDB maps anew when the file outgrows it, and does not say when that fails.
        mapSize: 2 * mapBytes,
        maxDbs: 8,
        encoding: 'binary',
        keyEncoding: 'binary',
        ...PRIVATE,
      });
      if (flushes) flushNames(directory);
      return use({ gate, root, directory, dataPath });
    });
  } catch (error) {
    void gate.close();
    throw error;
  }
}

function hasMarker(directory: string): boolean {
  return readdirSync(directory).includes('holdfast.json');
}

function removeGatesBut(directory: string, kept: string): void {
  for (const name of readdirSync(directory)) {
    if (name.startsWith('gate-') && !name.startsWith(kept)) rmSync(join(directory, name), { force: true });
  }
}

/** The keys of a range, all of them, so that what they stand for can be removed while they are gone through. */
export function keysIn(table: Binary, range: Partial<KeyRange> = {}, limit = Infinity): Buffer[] {
  return Array.from(table.getKeys({ ...range, limit }));
}

/** What lmdb-js does not say in its types. */
type TableStats = Record<
  'entryCount' | 'pageSize' | 'treeBranchPageCount' | 'treeLeafPageCount' | 'overflowPages',
  number
>;

function statsOf(table: Binary): { readonly keys: number; readonly bytes: number } {
  const stats = table.getStats() as TableStats;
  const pages = stats.treeBranchPageCount + stats.treeLeafPageCount + stats.overflowPages;
  return { keys: stats.entryCount, bytes: pages * stats.pageSize };
}
