import type { Clock, Link } from '../clock.js';
import type { Environment, Route } from '../policy.js';

export const LEVELS = ['ok', 'info', 'warning', 'error'] as const;
export type Level = (typeof LEVELS)[number];

/** What one inequality says of one clock. */
export interface Verdict {
  /** Of {@link BUDGET_RULES}. */
  readonly rule: string;
  readonly level: Level;
  /** How the hop is called in the policy; `pod` and `client` for the ends. */
  readonly hop: string;
  /** As the vendor calls it. */
  readonly clock: string;
  /** Where the clock is set: by default, by the policy, or for this hop. */
  readonly limitFrom: 'default' | 'policy' | 'hop';
  /** Undefined: there is none. */
  readonly limitMs: number | undefined;
  /** What of ours it is compared with. */
  readonly what: string;
  readonly oursMs: number | undefined;
  /** How far apart they are, what is held in reserve taken off; below zero where it fails. */
  readonly marginMs: number | undefined;
  readonly message: string;
  /** What to change, where something should be. */
  readonly fix?: string;
  /** The paths that it is about; none for all. */
  readonly paths: readonly string[];
}

export interface BudgetOptions {
  /** Round trip that 99 of 100 stay below, in milliseconds. Default 500: a phone on a crowded cell. */
  readonly rttMs?: number;
}

export interface Context {
  readonly environment: Environment;
  readonly links: readonly Link[];
  readonly rttMs: number;
}

/** One clock of the chain with the limit that it has here. */
export interface Ticking {
  readonly link: Link;
  readonly clock: Clock;
  /** The kind that the options of the hop make of it. */
  readonly kind: Clock['kind'];
  readonly limitMs: number | undefined;
  readonly limitFrom: Verdict['limitFrom'];
  /** WebSocket routes that it is about; none for all. */
  readonly paths: readonly string[];
}

/** What is held in reserve for timers that fire late, at both ends and in between: nginx alone rounds by 0.3 s. */
export const RESERVE_MS = 1_000;
/** From the end of the drain to the last closing frame on the wire. */
export const FLUSH_MS = 1_000;
/** Between the last of ours and SIGKILL. */
export const KILL_RESERVE_MS = 5_000;
/** Kernels stop repeating SYN about here, whatever a proxy is told. */
export const CONNECT_MS_MAX = 75_000;

/** The longest silence of a healthy connection: who pings last, and how long after. */
export function silenceOf({ keepalive }: Environment): { readonly ms: number; readonly what: string } {
  const { application, pingMs, backgroundPingMs, plainPingMs } = keepalive;
  if (application) return { ms: application.pingMs, what: "the application's ping" };
  const pings = [
    { ms: plainPingMs, what: 'ping of plain clients' },
    { ms: backgroundPingMs, what: 'ping of hidden pages' },
    { ms: pingMs, what: 'ping of sessions' },
  ];
  return pings.reduce((longest, ping) => (ping.ms > longest.ms ? ping : longest));
}

/** From SIGTERM to the end of the last connection. */
export const drainMs = ({ drain }: Environment): number => drain.deadlineMs + FLUSH_MS;

/** All clocks of the chain, from the client on. One that a route sets is there once for each value that routes give it. */
export const tickingOf = ({ environment, links }: Context): Ticking[] =>
  links.flatMap((link) => link.hop.clocks.flatMap((clock) => ticking(environment, link, clock)));

function ticking(environment: Environment, link: Link, clock: Clock): Ticking[] {
  const option = clock.becomes && link.use.options.get(clock.becomes.option);
  const kind = option === true && clock.becomes ? clock.becomes.kind : clock.kind;
  const own = link.use.clocksMs.get(clock.name);
  const one = { link, clock, kind, paths: [] };
  // Zero is how a policy switches a clock off.
  if (own !== undefined) return [{ ...one, limitMs: own === 0 ? undefined : own, limitFrom: 'hop' }];
  const values = valuesOf(environment, clock);
  if (values === undefined) return [{ ...one, limitMs: clock.defaultMs, limitFrom: 'default' }];
  return values.map(({ ms, paths }) => ({ ...one, paths, limitMs: clamp(ms, clock), limitFrom: 'policy' }));
}

/** What cannot be set is not rendered: a vendor's bounds hold. A connect timeout is rendered as it is, and does not come about. */
const clamp = (ms: number, { kind, minMs = 0, maxMs = Infinity }: Clock): number =>
  kind === 'connect' ? ms : Math.min(Math.max(ms, minMs), maxMs);

interface Value {
  readonly ms: number;
  readonly paths: readonly string[];
}

function valuesOf(environment: Environment, { setBy }: Clock): Value[] | undefined {
  const whole = (ms: number | undefined): Value[] | undefined => (ms === undefined ? undefined : [{ ms, paths: [] }]);
  switch (setBy) {
    case 'read':
      return byValue(environment, ({ readMs }) => readMs);
    case 'send':
      return byValue(environment, ({ sendMs }) => sendMs);
    case 'connect':
      return byValue(environment, ({ connectMs }) => connectMs);
    case 'drain':
      // As it is rendered: what is left after a reload may stay until it would have moved by itself.
      return whole(Math.max(environment.drain.deadlineMs, environment.drain.maxAgeMs ?? 0));
    case 'request':
      return whole(environment.resources.requestMs);
    case 'clientIp':
      return whole(environment.service.clientIpMs);
    case undefined:
      return undefined;
  }
}

export const webSocketsOf = ({ routes }: Environment): Route[] => routes.filter(({ kind }) => kind === 'websocket');

function byValue(environment: Environment, valueOf: (route: Route) => number): Value[] {
  const paths = new Map<number, string[]>();
  for (const route of webSocketsOf(environment)) {
    paths.set(valueOf(route), [...(paths.get(valueOf(route)) ?? []), route.path]);
  }
  const values = Array.from(paths, ([ms, some]) => ({ ms, paths: some }));
  return values.length === 1 ? values.map(({ ms }) => ({ ms, paths: [] })) : values;
}
