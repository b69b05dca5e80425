import type { IncomingMessage } from 'node:http';
import { errors, type Policy } from '@holdfast/protocol';
import type { Store } from '@holdfast/store';
import type { ModelLink, Timeline } from '@holdfast/protocol/testing';
import type { Random } from '@holdfast/testing';
import { drain, drainOptions } from '../../packages/server/src/drain.js';
import { greeting, refuse } from '../../packages/server/src/greeter.js';
import { Pod } from '../../packages/server/src/pod.js';
import { Application, isAsked, urlOf } from './application.js';
import { Host, HostClock } from './host.js';
import { SimTransport } from './sim-transport.js';
import { StoreView, type StoreModelOptions } from './sim-store.js';
import type { Verdict } from './verdict.js';

/** As the server's own: what a client is told to wait when it could not be established. */
const FAILED_RETRY_MS = 1_000;
const HANDSHAKE_MS = 5_000;
const MAX_PENDING_BYTES = 1_048_576;
export const LEASE_MS = 5_000;

export interface SimPodOptions {
  readonly name: string;
  readonly timeline: Timeline;
  readonly random: Random;
  readonly policy: Policy;
  readonly model: StoreModelOptions;
  readonly verdict: Verdict;
  readonly skewMs: number;
  /** Lets a planted bug stand between the pod and the store. */
  readonly wrapStore: (view: Store) => Store;
}

/** One process with the real pod in it. */
export class SimPod {
  readonly name: string;
  readonly host: Host;
  readonly store: StoreView;
  readonly pod: Pod;
  readonly application: Application;
  readonly transports = new Set<SimTransport>();
  readonly #options: SimPodOptions;
  readonly #clock: HostClock;
  readonly #links = new Set<ModelLink>();
  #isDraining = false;
  #handshakes = 0;

  constructor(options: SimPodOptions) {
    const { name, timeline, random, policy, model, verdict, skewMs, wrapStore } = options;
    this.name = name;
    this.#options = options;
    this.host = new Host(timeline);
    this.#clock = new HostClock(timeline, this.host, random.fork(1), (random() * 2 - 1) * skewMs);
    this.store = new StoreView(model, this.host);
    this.pod = new Pod({
      store: wrapStore(this.store),
      clock: this.#clock,
      machine: { pod: name, policy, closeMs: 4_000, allocate: (length) => Buffer.allocUnsafe(length) },
      writeMs: 4_000,
      executionMs: 60_000,
      maxPendingBytes: MAX_PENDING_BYTES,
      leaseMs: LEASE_MS,
      cleanupMs: 1,
      listener: {
        opened: (...args) => this.application.opened(...args),
        handlerFailed: (error) => {
          if (!isAsked(error)) verdict.blame('the application failed', error.stack ?? error.message);
        },
        left: () => {},
        storeTroubled: () => {},
      },
    });
    // Made behind the pod, which opens sessions in a later turn.
    this.application = new Application({ context: this.pod, pod: name, random: random.fork(2) });
  }

  get isDraining(): boolean {
    return this.#isDraining;
  }

  /** A client has connected; `opened` answers the upgrade. */
  accept(link: ModelLink, client: { readonly name: string; readonly isAsync: boolean }): void {
    const transport = new SimTransport(link, this.host, MAX_PENDING_BYTES, this.#options.verdict);
    for (const old of this.transports) if (!old.open) this.transports.delete(old);
    for (const old of this.#links) if (!old.isUp) this.#links.delete(old);
    this.transports.add(transport);
    this.#links.add(link);
    void this.#greet(transport, urlOf(client.name, client.isAsync));
  }

  async #greet(transport: SimTransport, url: string): Promise<void> {
    const request = { method: 'GET', url, headers: {}, socket: { remoteAddress: '' } } as unknown as IncomingMessage;
    this.#handshakes++;
    try {
      const frame = await greeting(transport, this.#clock, HANDSHAKE_MS);
      if (frame) await this.pod.accept(transport, frame, { request, protocol: '' });
    } catch {
      refuse(transport, errors.FAILED, FAILED_RETRY_MS);
    } finally {
      this.#handshakes--;
    }
  }

  /** Empties the pod, and ends it. */
  async drain(deadlineMs: number): Promise<void> {
    this.#isDraining = true;
    const drained = {
      pod: this.pod,
      plain: new Set<never>(),
      clock: this.#clock,
      stopAccepting: () => () => this.#handshakes,
    };
    await drain(drained, drainOptions({ deadlineMs, movesPerSecond: 20 }));
  }

  /** The process is gone. Its kernel resets the connections, unless the machine went with it. */
  kill(isSilent: boolean): void {
    this.host.kill();
    this.store.cutTail();
    for (const link of this.#links) {
      if (isSilent) link.blackHole('server', 'client');
      link.cut(['server']);
    }
  }
}
