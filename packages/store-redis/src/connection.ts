import { errors, HoldfastError } from '@holdfast/store';
import { createClient, ErrorReply, type RedisClientOptions, RESP_TYPES } from 'redis';
import { translate } from './failures.js';
import type { Script } from './lua/scripts.js';

/** Options of the `redis` client that may be given. */
export type RedisOptions = Omit<RedisClientOptions, 'RESP' | 'commandOptions' | 'disableOfflineQueue'>;

export interface ConnectionOptions {
  readonly client: RedisOptions;
  /** How long an answer is waited for. */
  readonly commandMs: number;
  /** Called when a connection is there, also when it is there again. */
  readonly ready: (client: Client) => void;
}

export type Client = ReturnType<typeof newClient>;
export type Arguments = (string | Buffer)[];

/** More operations than this at once are refused: something is wrong with the server, and memory has a bound. */
const QUEUE_MAX = 100_000;
const RECONNECT_MIN_MS = 20;
const RECONNECT_MAX_MS = 1_000;
/** A connection on which nothing is answered for this many times `commandMs` is given up for a new one: the path may be dead. */
const SILENCES = 5;
/** A connection is not given up sooner than this. */
const RENEW_MS = 1_000;

function newClient(options: RedisOptions) {
  return createClient({
    maintNotifications: 'disabled',
    commandsQueueMaxLength: QUEUE_MAX,
    ...options,
    RESP: 2,
    disableOfflineQueue: true,
    commandOptions: { timeout: 0 },
    socket: {
      reconnectStrategy: (retries: number) => Math.min(RECONNECT_MAX_MS, RECONNECT_MIN_MS * 2 ** Math.min(retries, 10)),
      ...options.socket,
    } as RedisClientOptions['socket'],
  });
}

/** A connection to the server that comes back by itself. Every operation is answered within a bound, be it with an error. */
export class Connection {
  readonly #options: ConnectionOptions;
  /** Where it leads to, with the rest of the client's options. */
  #place: RedisOptions;
  #client: Client;
  /** Since when nothing was answered that was waited for. */
  #silentSinceMs: number | undefined;
  #madeMs = 0;
  #isClosed = false;
  #lastError: unknown;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#place = options.client;
    this.#client = this.#connect();
  }

  get client(): Client {
    return this.#client;
  }

  get isReady(): boolean {
    return this.#client.isReady;
  }

  /** Leads to another server from now on. */
  moveTo(place: RedisOptions): void {
    if (this.#isClosed) return;
    this.#place = place;
    this.#replace(this.#client);
  }

  /** Resolves when the server is there, rejects when it is not within the time, or lets our user not in. */
  async opened(withinMs: number): Promise<void> {
    const client = this.#client;
    if (client.isReady) return;
    const there = new Promise<void>((resolve, reject) => {
      client.once('ready', () => resolve());
      client.on('error', (error: unknown) => {
        const failure = translate(error);
        if (error instanceof ErrorReply && failure.code === errors.STORE_DENIED.code) reject(failure);
      });
    });
    await within(withinMs, () => this.#lastError, there);
  }

  /** Runs a script. The key says to a node of a cluster which slot it is about. Text comes as text, or all of it as bytes. */
  async run(script: Script, key: string, args: Arguments, as: 'text' | 'bytes' = 'text'): Promise<unknown> {
    const run = (command: 'EVALSHA' | 'EVAL', body: string): Promise<unknown> =>
      this.call([command, body, '1', key, ...args], as);
    try {
      return await run('EVALSHA', script.sha);
    } catch (error) {
      const isMissing = error instanceof HoldfastError && /NOSCRIPT/.test(error.message);
      if (!isMissing) throw error;
      return run('EVAL', script.source);
    }
  }

  async call(args: Arguments, as: 'text' | 'bytes' = 'text'): Promise<unknown> {
    if (this.#isClosed) throw new HoldfastError(errors.STORE_CLOSED);
    const client = this.#client;
    this.#silentSinceMs ??= performance.now();
    try {
      const typeMapping = as === 'bytes' ? { [RESP_TYPES.BLOB_STRING]: Buffer } : {};
      const answer = client.sendCommand<unknown>(args, { typeMapping });
      const result = await within(this.#options.commandMs, () => this.#timedOut(client), answer);
      this.#silentSinceMs = undefined;
      return result;
    } catch (error) {
      if (this.#isClosed) throw new HoldfastError(errors.STORE_CLOSED);
      if (error instanceof ErrorReply) this.#silentSinceMs = undefined;
      const failure = translate(error);
      // The name may lead to another server by now, the new master.
      if (failure.code === errors.STORE_READ_ONLY.code) this.#renew(client);
      throw failure;
    }
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.#client.isOpen) this.#client.destroy();
  }

  #connect(): Client {
    const client = newClient(this.#place);
    this.#madeMs = performance.now();
    this.#silentSinceMs = undefined;
    // Without a listener an error would end the process. What fails is told by the operations.
    client.on('error', (error: unknown) => (this.#lastError = error));
    client.on('ready', () => {
      if (this.#client === client) this.#options.ready(client);
    });
    // The reconnect strategy goes on for ever; this ends only when the client is destroyed.
    client.connect().catch((error: unknown) => (this.#lastError = error));
    return client;
  }

  #timedOut(client: Client): unknown {
    const silentMs = performance.now() - (this.#silentSinceMs ?? Infinity);
    if (silentMs > SILENCES * this.#options.commandMs) this.#renew(client);
    return new Error('no answer in time');
  }

  /** Gives a connection up for a new one, unless one is being made already. */
  #renew(client: Client): void {
    if (this.#client !== client || this.#isClosed || performance.now() - this.#madeMs < RENEW_MS) return;
    this.#replace(client);
  }

  #replace(client: Client): void {
    this.#client = this.#connect();
    if (client.isOpen) client.destroy();
  }
}

/** The result, or the error when it takes longer. A late result is of no interest. */
async function within<T>(ms: number, error: () => unknown, result: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(translate(error() ?? new Error('no connection in time'))), ms);
  });
  try {
    return await Promise.race([result, late]);
  } finally {
    clearTimeout(timer);
  }
}
