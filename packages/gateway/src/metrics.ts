import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { PodReport } from './pool/index.js';
import { nameOf } from './admission.js';
import type { Route } from '@holdfast/policy';
import type { Held } from './account.js';
import type { Visit } from './visit.js';

/** What the gauges show is asked when they are read. */
export interface MetricsSources {
  readonly webSockets: () => number;
  readonly requests: () => number;
  readonly waiting: () => number;
  readonly pods: () => Iterable<PodReport>;
  readonly isReady: () => boolean;
}

/** Seconds that a WebSocket or a request took. */
const DURATIONS = [0.005, 0.025, 0.1, 0.5, 1, 5, 30, 60, 300, 1_800, 3_600, 14_400, 86_400];

/** The numbers of one gateway, in a registry of its own. Labels are routes, pods and codes: never what a client chooses. */
export class Metrics {
  readonly registry = new Registry();
  readonly #finished: Counter<'route' | 'kind' | 'status'>;
  readonly #closes: Counter<'route' | 'code' | 'by' | 'cause'>;
  readonly #refused: Counter<'error'>;
  readonly #bytes: Counter<'route' | 'direction'>;
  readonly #messages: Counter<'route' | 'direction'>;
  readonly #moves: Counter<'route'>;
  readonly #doubts: Counter<'route' | 'kind'>;
  readonly #seconds: Histogram<'route' | 'kind'>;

  constructor(sources: MetricsSources) {
    const registers = [this.registry];
    const name = (rest: string): string => `holdfast_gateway_${rest}`;
    this.#finished = new Counter({
      name: name('finished_total'),
      help: 'Requests and WebSockets that are over, by HTTP status.',
      labelNames: ['route', 'kind', 'status'],
      registers,
    });
    this.#closes = new Counter({
      name: name('websocket_closes_total'),
      help: 'WebSockets that are over, by close code, by who closed, and why.',
      labelNames: ['route', 'code', 'by', 'cause'],
      registers,
    });
    this.#refused = new Counter({
      name: name('refused_total'),
      help: 'Requests that the gateway refused itself, by error.',
      labelNames: ['error'],
      registers,
    });
    this.#bytes = new Counter({
      name: name('bytes_total'),
      help: 'Bytes passed, once their connection is over.',
      labelNames: ['route', 'direction'],
      registers,
    });
    this.#messages = new Counter({
      name: name('messages_total'),
      help: 'WebSocket messages passed, once their connection is over.',
      labelNames: ['route', 'direction'],
      registers,
    });
    this.#moves = new Counter({
      name: name('held_moves_total'),
      help: 'How often a held client was led to another pod, once its connection is over.',
      labelNames: ['route'],
      registers,
    });
    this.#doubts = new Counter({
      name: name('held_messages_total'),
      help: 'Messages of held clients that lost pods had taken and not answered, that may or may not have arrived, that were given to another pod again, that were never delivered.',
      labelNames: ['route', 'kind'],
      registers,
    });
    this.#seconds = new Histogram({
      name: name('duration_seconds'),
      help: 'How long requests and WebSockets lasted.',
      labelNames: ['route', 'kind'],
      buckets: DURATIONS,
      registers,
    });
    this.#gauge(name('websockets'), 'WebSockets under way.', () => sources.webSockets());
    this.#gauge(name('requests'), 'Requests under way.', () => sources.requests());
    this.#gauge(name('accept_queue'), 'New connections that wait for their turn.', () => sources.waiting());
    this.#gauge(name('ready'), '1 while new connections are welcome and a pod takes them.', () =>
      Number(sources.isReady()),
    );
    this.#podGauges(name, sources);
  }

  finished(visit: Visit, route: Route | undefined, seconds: number): void {
    const { account } = visit;
    const label = route === undefined ? '' : nameOf(route);
    const kind = account.status === 101 ? 'websocket' : 'request';
    this.#finished.inc({ route: label, kind, status: account.status ?? 0 });
    this.#seconds.observe({ route: label, kind }, seconds);
    this.#bytes.inc({ route: label, direction: 'to_pod' }, account.toPod.bytes);
    this.#bytes.inc({ route: label, direction: 'to_client' }, account.toClient.bytes);
    if (kind === 'request') return;
    this.#messages.inc({ route: label, direction: 'to_pod' }, account.toPod.messages);
    this.#messages.inc({ route: label, direction: 'to_client' }, account.toClient.messages);
    this.#heldFinished(label, account.held);
    this.#closes.inc({
      route: label,
      code: codeLabel(account.closeCode),
      by: account.closedBy ?? 'gateway',
      cause: account.cause ?? '',
    });
  }

  #heldFinished(route: string, held: Held | undefined): void {
    if (!held) return;
    this.#moves.inc({ route }, held.attempts - 1);
    for (const kind of ['unanswered', 'unknown', 'resent', 'undelivered'] as const) {
      this.#doubts.inc({ route, kind }, held[kind] ?? 0);
    }
  }

  refused(error: string): void {
    this.#refused.inc({ error });
  }

  #gauge(name: string, help: string, value: () => number): void {
    new Gauge({
      name,
      help,
      registers: [this.registry],
      collect: function () {
        this.set(value());
      },
    });
  }

  #podGauges(name: (rest: string) => string, { pods }: MetricsSources): void {
    const registers = [this.registry];
    new Gauge({
      name: name('pod_state'),
      help: '1 for the state that a pod is in.',
      labelNames: ['pod', 'state'],
      registers,
      collect() {
        this.reset();
        for (const { id, state } of pods()) this.set({ pod: id, state }, 1);
      },
    });
    new Gauge({
      name: name('pod_connections'),
      help: 'Connections open or being opened to a pod.',
      labelNames: ['pod'],
      registers,
      collect() {
        this.reset();
        for (const { id, load } of pods()) this.set({ pod: id }, load);
      },
    });
    new Gauge({
      name: name('pod_failures'),
      help: 'Failed attempts at a pod and lost connections since it is known, by cause.',
      labelNames: ['pod', 'cause'],
      registers,
      collect() {
        this.reset();
        for (const { id, counts } of pods()) {
          for (const [cause, count] of Object.entries(counts.failed)) this.set({ pod: id, cause }, count);
        }
      },
    });
  }
}

/** Clients may close with any of 2,000 codes: those of applications count as one. */
const codeLabel = (code: number | undefined): string =>
  code === undefined ? '' : code >= 3_000 && (code < 4_500 || code > 4_599) ? 'application' : String(code);
