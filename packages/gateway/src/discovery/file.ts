import { watch, type FSWatcher } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errors } from '@holdfast/protocol';
import type { Clock } from '../clock.js';
import type { Finder, Lookout } from './discovery.js';
import { readPods } from './pod-list.js';
import { messageOf, Reporter } from './reporter.js';

const FILE_BYTES_MAX = 1_048_576;
/** A replacement is several events; they are waited for before the file is read. */
const SETTLE_MS = 50;
/** Some file systems tell of no change, so the file is also read this often. */
const POLL_MS = 10_000;

/**
 * Takes the pods from a file, as YAML or JSON, and again whenever it changes. The folder is watched and not the file, because a file that is
 * replaced (`mv`, or the symbolic link of a ConfigMap) is another one. What cannot be read, or is no list of pods, changes nothing.
 */
export class FileLookout implements Lookout {
  readonly #path: string;
  readonly #reporter: Reporter;
  readonly #clock: Clock;
  #watcher: FSWatcher | undefined;
  #timer: unknown;
  #text: string | undefined;
  #isReading = false;
  /** Whether something has changed while it was read. */
  #isStale = false;

  constructor(path: string, finder: Finder, clock: Clock) {
    this.#path = path;
    this.#reporter = new Reporter(finder, `file ${path}`);
    this.#clock = clock;
    this.#watch();
    void this.#read();
  }

  close(): void {
    this.#reporter.close();
    this.#clock.clearTimeout(this.#timer);
    this.#watcher?.close();
    this.#watcher = undefined;
  }

  #watch(): void {
    try {
      this.#watcher = watch(dirname(this.#path), { persistent: false }, () => this.#readIn(SETTLE_MS));
      this.#watcher.on('error', () => this.#unwatch());
    } catch {
      // No such folder yet, or no watches left: the poll finds it.
    }
  }

  #unwatch(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
  }

  #readIn(delayMs: number): void {
    if (this.#reporter.isClosed) return;
    this.#isStale = this.#isReading;
    if (this.#isReading) return;
    this.#clock.clearTimeout(this.#timer);
    this.#timer = this.#clock.setTimeout(() => void this.#read(), delayMs);
  }

  async #read(): Promise<void> {
    this.#isReading = true;
    try {
      const text = await textOf(this.#path);
      if (text !== this.#text) this.#reporter.found(readPods(text));
      this.#text = text;
    } catch (error) {
      // Read it again even if it comes back as it was: only then is the trouble over.
      this.#text = undefined;
      this.#reporter.troubled(errors.POD_FILE, messageOf(error), error);
    }
    this.#isReading = false;
    if (this.#watcher === undefined && !this.#reporter.isClosed) this.#watch();
    this.#readIn(this.#isStale ? SETTLE_MS : POLL_MS);
  }
}

async function textOf(path: string): Promise<string> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    if (size > FILE_BYTES_MAX) throw new Error(`${size} bytes, at most ${FILE_BYTES_MAX} are read`);
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
}
