import type { KubeConfig } from '@kubernetes/client-node';
import { errors } from '@holdfast/protocol';
import type { Clock } from '../clock.js';
import type { Finder, Lookout } from './discovery.js';
import { podsOf, type EndpointSlice } from './endpoint-slices.js';
import { sliceClient, statusOf, type SliceClient } from './kubernetes-client.js';
import { messageOf, Reporter } from './reporter.js';

export interface KubernetesOptions {
  readonly namespace: string;
  readonly service: string;
  /** Name of a port of the Service. Default: its first. */
  readonly port?: string;
}

/** The server ends a watch after this long, and it is begun anew where it was; a path that died silently is noticed by then. */
const WATCH_MS = 240_000;
/** How much later a watch that the server has not ended is given up. */
const OVERDUE_MS = 30_000;
const RETRY_MIN_MS = 1_000;
const RETRY_MAX_MS = 30_000;

/** How a watch ended. */
interface Ended {
  /** Whether the version seen last is still good to go on from. */
  readonly resume: boolean;
  readonly error?: unknown;
}

/** The server has forgotten the version that a watch was to begin from. */
const GONE = 410;

/**
 * Follows the EndpointSlices of a Service: lists them, watches from the version of the list on, goes on after each end from the version last
 * seen (bookmarks move it although nothing changes), and lists anew when the server does not know that version any more. While the API
 * server is away the pods stay as they were. It needs `list` and `watch` on `endpointslices` in the namespace.
 */
export class KubernetesLookout implements Lookout {
  readonly #options: KubernetesOptions;
  readonly #reporter: Reporter;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #slices = new Map<string, EndpointSlice>();
  readonly #closing = new AbortController();
  #version = '';

  /** `config` is where the API server is and who we are. Default: the pod's service account, else the user's kubeconfig. */
  constructor(
    options: KubernetesOptions,
    finder: Finder,
    clock: Clock,
    { random = Math.random, config }: { random?: () => number; config?: KubeConfig } = {},
  ) {
    this.#options = options;
    this.#reporter = new Reporter(finder, `kubernetes ${options.namespace}/${options.service}`);
    this.#clock = clock;
    this.#random = random;
    void this.#follow(config);
  }

  close(): void {
    this.#reporter.close();
    this.#closing.abort();
  }

  async #follow(config?: KubeConfig): Promise<void> {
    let failures = 0;
    while (!this.#reporter.isClosed) {
      const sinceMs = this.#clock.now();
      const error = await this.#round(config).catch((thrown: unknown) => thrown);
      if (error === undefined) failures = 0;
      else this.#reporter.troubled(errors.DISCOVERY, messageOf(error), error);
      const delayMs = error === undefined ? RETRY_MIN_MS : Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** failures++);
      // A watch that has lasted is begun anew at once; a server that ends every watch immediately is not asked in a loop.
      if (error !== undefined || this.#clock.now() - sinceMs < RETRY_MIN_MS) await this.#pause(delayMs);
    }
  }

  /** Lists, where the version is not known, and watches. Returns, or throws, why that ended, unless it was in order. */
  async #round(config?: KubeConfig): Promise<unknown> {
    const { namespace, service } = this.#options;
    const client = await sliceClient(namespace, service, config);
    if (this.#version === '') await this.#list(client);
    const { resume, error } = await this.#watch(client);
    if (!resume) this.#version = '';
    return error;
  }

  async #list(client: SliceClient): Promise<void> {
    const { items, metadata } = await client.list(this.#closing.signal);
    this.#slices.clear();
    for (const slice of items) this.#slices.set(slice.metadata?.name ?? '', slice);
    this.#version = metadata?.resourceVersion ?? '';
    this.#tell();
  }

  /** Until the watch ends, for whatever reason. */
  #watch(client: SliceClient): Promise<Ended> {
    return new Promise((resolve) => {
      let ended: Ended = { resume: true };
      let stop: (() => void) | undefined;
      const fail = (error: unknown, resume: boolean): void => {
        ended = statusOf(error) === GONE ? { resume: false } : { resume, error };
      };
      const done = (error: unknown): void => {
        this.#clock.clearTimeout(overdue);
        this.#closing.signal.removeEventListener('abort', give);
        if (error !== undefined) fail(error, true);
        resolve(ended);
      };
      // Before the server has answered there is nothing to stop yet: it is stopped when it does.
      const give = (): void => (stop === undefined ? done(undefined) : stop());
      const heard = (type: string, object: unknown): void => {
        if (type !== 'ERROR') return this.#hear(type, object as Versioned);
        fail(object, false);
        give();
      };
      const overdue = this.#clock.setTimeout(give, WATCH_MS + OVERDUE_MS);
      this.#closing.signal.addEventListener('abort', give);
      void client.watch(this.#version, WATCH_MS, { heard, done }).then((end) => {
        stop = end;
        if (this.#closing.signal.aborted || !ended.resume) end();
      }, done);
    });
  }

  #hear(type: string, slice: Versioned): void {
    this.#version = slice.metadata?.resourceVersion ?? this.#version;
    const name = slice.metadata?.name ?? '';
    if (type === 'DELETED') this.#slices.delete(name);
    else if (type === 'ADDED' || type === 'MODIFIED') this.#slices.set(name, slice);
    else return;
    this.#tell();
  }

  #tell(): void {
    this.#reporter.found(podsOf(this.#slices.values(), this.#options.port));
  }

  /** With jitter: when an API server is back, gateways do not all list at once. */
  #pause(delayMs: number): Promise<void> {
    const { signal } = this.#closing;
    return new Promise((resolve) => {
      if (signal.aborted) return resolve();
      const over = (): void => {
        this.#clock.clearTimeout(timer);
        signal.removeEventListener('abort', over);
        resolve();
      };
      const timer = this.#clock.setTimeout(over, delayMs * (0.5 + this.#random() / 2));
      signal.addEventListener('abort', over);
    });
  }
}

type Versioned = EndpointSlice & { metadata?: { resourceVersion?: string } };
