import { errors, HoldfastError, type Retention, retentionOf } from '@holdfast/store';

export interface LmdbStoreOptions {
  /** The directory of the store, made if it is not there. On a local disk: LMDB does not work on network file systems. */
  readonly path: string;
  /** How much of each stream is kept. Default {@link DEFAULT_RETENTION}. */
  readonly retention?: Partial<Retention>;
  /**
   * What commits outlive. Default `process`.
   *
   * `process`: the death of any process at any instant. A commit is in the system's page cache when it is answered, which takes some
   * ten microseconds, and no process that dies takes that with it. After a power loss or a crash of the system the store is empty:
   * the disk may then hold a mixture of old and new pages, so data of an earlier run of the machine is used only if the last process
   * had closed the store, which flushes it. An orderly reboot loses nothing; the other is told to clients as expired sessions.
   *
   * `disk`: power loss too. Each commit waits for the disk twice, and the event loop with it, and all processes together commit no
   * faster than that: some hundreds to few thousands of times a second. Systems without a boot id (all but Linux) always do
   * this, because there a reboot cannot be told from a restart.
   */
  readonly durability?: 'process' | 'disk';
  /**
   * Bytes that the contents may take, default 4 GiB: some 250 streams that are as full as their default retention allows. When they are
   * used up, batches that add something are refused with HF_STORE_FULL and not applied. The file can be larger by what a reader keeps
   * from being used again. Twice as much address space is reserved.
   */
  readonly mapBytes?: number;
  /**
   * How often, in milliseconds, it is looked whether a wake-up was lost. Default 1000: the longest such delay, for a process that
   * follows up to 2000 streams.
   */
  readonly checkMs?: number;
}

/** What tests change and nobody else. */
export interface LmdbStoreInternals {
  /** The run of the machine. */
  readonly bootId?: string | undefined;
  /** Called before each entry is written. */
  readonly beforeAppend?: () => void;
}

const DEFAULT_MAP_BYTES = 4_294_967_296;
const DEFAULT_CHECK_MS = 1000;
/** The file has some pages before anything is in it. */
const MAP_BYTES_MIN = 1_048_576;

/** What a timer of Node can wait. */
const TIMER_MS_MAX = 2_147_483_647;

/** The options with their defaults. */
export interface Settings extends Required<LmdbStoreOptions> {
  readonly retention: Retention;
}

export function settingsOf(options: LmdbStoreOptions): Settings {
  const { path, durability = 'process', mapBytes = DEFAULT_MAP_BYTES, checkMs = DEFAULT_CHECK_MS } = options;
  if (!(mapBytes >= MAP_BYTES_MIN)) throw new HoldfastError(errors.OPTION, `mapBytes is ${mapBytes}, below 1 MiB`);
  if (!(checkMs >= 1 && checkMs <= TIMER_MS_MAX)) throw new HoldfastError(errors.OPTION, `checkMs is ${checkMs}`);
  return { path, durability, mapBytes, checkMs, retention: retentionOf(options.retention) };
}
