import { formatDuration } from '../units.js';
import type { ClockKind } from '../clock.js';
import {
  CONNECT_MS_MAX,
  drainMs,
  KILL_RESERVE_MS,
  RESERVE_MS,
  silenceOf,
  tickingOf,
  type Context,
  type Level,
  type Ticking,
  type Verdict,
} from './verdict.js';

/** What a rule says of a clock; the rest of the verdict is filled in. */
type Said = Pick<Verdict, 'level' | 'what' | 'oursMs' | 'message'> & Partial<Pick<Verdict, 'marginMs' | 'fix'>>;

/** One inequality. */
export interface BudgetRule {
  readonly id: string;
  readonly title: string;
  readonly inequality: string;
  readonly why: string;
}

/** An inequality over a clock of a hop. */
export interface ClockRule extends BudgetRule {
  readonly kinds: readonly ClockKind[];
  /** Undefined: it has nothing to say of this one. */
  readonly judge: (ticking: Ticking, context: Context) => Said | undefined;
}

const time = formatDuration;
const spoken = (ms: number): string => (ms < 60_000 ? `${ms / 1_000} s` : time(ms));

/** Silence against an idle limit, which is the same for three kinds of clocks. */
function silence({ limitMs }: Ticking, { environment, rttMs }: Context): Said & { limitMs?: number } {
  const { ms, what } = silenceOf(environment);
  if (limitMs === undefined) {
    return { level: 'ok', what, oursMs: ms, message: 'it has no idle limit here' };
  }
  const marginMs = limitMs - (ms + rttMs + RESERVE_MS);
  if (marginMs <= 0) {
    const fix = `ping more often than every ${spoken(Math.max(1_000, Math.floor(limitMs / 2_000) * 1_000))}, or raise the limit`;
    const message = `the ${what.replace(/^the /, '')} (${spoken(ms)}) comes too late for ${spoken(limitMs)}: idle connections are cut`;
    return { level: 'error', what, oursMs: ms, marginMs, message, fix };
  }
  if (ms > limitMs / 2) {
    const message = `one ping that is lost ends the connection: ${spoken(ms)} is more than half of ${spoken(limitMs)}`;
    return {
      level: 'warning',
      what,
      oursMs: ms,
      marginMs,
      message,
      fix: `ping every ${spoken(Math.floor(limitMs / 2_000) * 1_000)} or more often`,
    };
  }
  return { level: 'ok', what, oursMs: ms, marginMs, message: 'one ping may be lost' };
}

const idle: ClockRule = {
  id: 'idle',
  title: 'A ping comes before the idle limit',
  inequality: 'ping + round trip (p99) + 1 s < limit; ping <= limit / 2, so that one may be lost',
  why: 'An idle clock that runs out ends the connection without a close frame: clients see 1006. Only the shortest of the chain matters; an outer one need not be longer than an inner one. Of Socket.IO it is pingInterval that counts here; pingTimeout is added to it only until a dead peer is found.',
  kinds: ['idle-either'],
  judge: silence,
};

const eachDirection: ClockRule = {
  id: 'each-direction',
  title: 'The heartbeat moves bytes both ways',
  inequality: 'ping + round trip (p99) + 1 s < limit, in each direction',
  why: 'Where each direction has a clock of its own, a heartbeat of one side alone does not help the other. An RFC 6455 ping does, as its pong answers it.',
  kinds: ['idle-each-direction'],
  judge(ticking, context) {
    const said = silence(ticking, context);
    const from = context.environment.keepalive.application?.from ?? 'both';
    if (from === 'both' || said.level === 'error') return said;
    const silent = from === 'client' ? 'server' : 'client';
    return {
      ...said,
      level: 'error',
      marginMs: ticking.limitMs === undefined ? undefined : -ticking.limitMs,
      message: `only the ${from} sends the heartbeat, and the clock of the ${silent}'s direction runs out`,
      fix: 'answer each heartbeat, or use RFC 6455 pings',
    };
  },
};

const silent: ClockRule = {
  id: 'silent',
  title: 'Both ends ping, and judge, where nobody tells of the end',
  inequality: 'ping + round trip (p99) + 1 s < limit; a dead peer is found after `dead`, at both ends',
  why: 'A layer 4 hop forgets a flow and says nothing. Each end then believes in the connection until it asks and is not answered.',
  kinds: ['silent-l4'],
  judge(ticking, context) {
    const said = silence(ticking, context);
    const { application, deadMs, backgroundDeadMs, plainPongMs } = context.environment.keepalive;
    if (application && application.from !== 'both' && said.level === 'ok') {
      const deaf = application.from === 'client' ? 'client' : 'server';
      const message = `only the ${application.from} sends the heartbeat: the ${deaf} hears nothing in return, and does not learn of a dead peer`;
      return { ...said, level: 'warning', message, fix: 'answer each heartbeat and judge its absence' };
    }
    if (said.level !== 'ok' || application) return said;
    const found = Math.max(deadMs, backgroundDeadMs, plainPongMs);
    return { ...said, message: `one ping may be lost, and a dead peer is found within ${spoken(found)}` };
  },
};

const lifetime: ClockRule = {
  id: 'lifetime',
  title: 'Connections are moved before their lifetime ends',
  inequality: 'maxAge x (1 + jitter) + drain < limit',
  why: 'Nothing resets a lifetime, and no ping outlives it. A connection that is moved in time loses nothing; one that is cut shows 1006, together with all that were made in the same moment.',
  kinds: ['lifetime'],
  judge({ limitMs, paths }, { environment }) {
    const what = 'longest age, and the drain';
    if (limitMs === undefined) return { level: 'ok', what, oursMs: undefined, message: 'no lifetime is set' };
    const { drain, routes } = environment;
    const ages = routes
      .filter(({ kind, path }) => kind === 'websocket' && (paths.length === 0 || paths.includes(path)))
      .map(({ maxAgeMs }) => maxAgeMs ?? drain.maxAgeMs ?? Infinity);
    const ageMs = Math.max(...ages, 0);
    const roomMs = limitMs - drainMs(environment);
    // The most whole minutes that are less than it.
    const advice = (Math.ceil(Math.round(roomMs / (1 + drain.ageJitter)) / 60_000) - 1) * 60_000;
    const drained = `a drain of ${spoken(drainMs(environment))}`;
    const fix =
      advice > 0
        ? `set \`drain: {maxAge: ${time(advice)}}\` or less`
        : `raise the lifetime: ${roomMs > 0 ? `${drained} leaves ${spoken(roomMs)} of it` : `it is no longer than ${drained}`}`;
    if (ageMs === Infinity) {
      const message = `every connection is cut after ${spoken(limitMs)}, however often it pings, and nothing moves it before`;
      return { level: 'error', what, oursMs: Infinity, message, fix };
    }
    const oursMs = Math.round(ageMs * (1 + drain.ageJitter)) + drainMs(environment);
    const marginMs = limitMs - oursMs;
    if (marginMs > 0) return { level: 'ok', what, oursMs, marginMs, message: 'connections are moved before' };
    return {
      level: 'error',
      what,
      oursMs,
      marginMs,
      message: `some connections are cut before they have been moved`,
      fix,
    };
  },
};

const cohort: ClockRule = {
  id: 'cohort',
  title: 'What ends many connections together waits for the drain',
  inequality: 'drain <= limit (preStop too, where the hop stops with the pod); shutdown + 10 s <= grace, of one proxy',
  why: 'A reload, a deployment or the stop of a proxy ends all connections of one process in the same instant, and all clients come back together. What is moved before is not cut.',
  kinds: ['cohort'],
  judge(ticking, context) {
    const { clock, limitMs } = ticking;
    const { drain } = context.environment;
    // Judged with the pod, whose end it is.
    if (clock.kills) return undefined;
    if (clock.outlasts !== undefined) return outlasting(ticking, clock.outlasts, context);
    const isMoved = drain.maxAgeMs !== undefined;
    if (clock.covers === undefined) {
      const message = `clients see ${clock.clientSees}; sessions resume, plain clients must reconnect`;
      return { level: 'info', what: 'nothing stops it', oursMs: undefined, message };
    }
    const what = clock.covers === 'drain' ? 'the drain' : 'preStop and the drain';
    const oursMs = drain.deadlineMs + (clock.covers === 'drain' ? 0 : drain.preStopMs);
    if (limitMs === undefined) {
      const message = 'unset: old processes stay until their last connection ends';
      return { level: 'info', what, oursMs, message, fix: `set it to ${spoken(oursMs)} or more` };
    }
    const marginMs = limitMs - oursMs;
    if (marginMs < 0) {
      const message = `it cuts after ${spoken(limitMs)} what is moved over ${spoken(oursMs)}`;
      return { level: 'error', what, oursMs, marginMs, message, fix: `set it to ${spoken(oursMs)} or more` };
    }
    if (isMoved || limitMs === oursMs || clock.after === undefined)
      return { level: 'ok', what, oursMs, marginMs, message: 'it waits for the drain' };
    const message = `long enough for a drain; after a ${clock.after} of its own it cuts all after ${spoken(limitMs)}`;
    return { level: 'info', what, oursMs, marginMs, message, fix: `watch the rate of ${clock.after}s` };
  },
};

/** How long the `preStop` of a proxy waits, and what its end takes. */
const PROXY_RESERVE_MS = 10_000;

function outlasting({ link, limitMs }: Ticking, other: string, context: Context): Said {
  const shorter = tickingOf(context).find((one) => one.link === link && one.clock.name === other);
  const what = shorter?.clock.title ?? other;
  const oursMs = shorter?.limitMs;
  if (limitMs === undefined) return { level: 'ok', what, oursMs, message: 'it is off' };
  if (oursMs === undefined) {
    return { level: 'info', what, oursMs, message: `${what} is off: connections last until the proxy is killed` };
  }
  const marginMs = limitMs - oursMs - PROXY_RESERVE_MS;
  if (marginMs >= 0)
    return { level: 'ok', what, oursMs, marginMs, message: 'it ends its connections before it is killed' };
  const message = `it is killed before ${what} (${spoken(oursMs)}) and its preStop are over, with all that it still carries`;
  return {
    level: 'error',
    what,
    oursMs,
    marginMs,
    message,
    fix: `set it to ${spoken(oursMs + PROXY_RESERVE_MS)} or more`,
  };
}

const connect: ClockRule = {
  id: 'connect',
  title: 'A connect timeout that is possible, and short',
  inequality: 'connect <= 75 s, which no kernel exceeds; 10 s are enough',
  why: 'The kernel gives up repeating its SYN after about 75 s, so a longer limit never comes about. A long one only delays the next pod: clients give up first.',
  kinds: ['connect'],
  judge({ clock, limitMs }, { environment }) {
    const clientMs = environment.connect.connectMs;
    const what = "the client's own limit";
    // A limit of the route, and not of connecting: it waits for the answer to the handshake.
    if (clock.setBy !== 'connect' && clock.maxMs === undefined) {
      return {
        level: 'ok',
        what,
        oursMs: clientMs,
        message: limitMs === undefined ? 'it is off' : 'it is about the handshake alone',
      };
    }
    if (limitMs === undefined) return { level: 'info', what, oursMs: clientMs, message: 'unset', fix: 'set it to 5 s' };
    if (limitMs > CONNECT_MS_MAX) {
      const message = `${spoken(limitMs)} is not possible: kernels give up after ${CONNECT_MS_MAX / 1_000} s`;
      return {
        level: 'error',
        what: 'what kernels allow',
        oursMs: CONNECT_MS_MAX,
        marginMs: CONNECT_MS_MAX - limitMs,
        message,
        fix: '`connect: 5s`',
      };
    }
    const marginMs = clientMs - limitMs;
    if (marginMs >= 0)
      return { level: 'ok', what, oursMs: clientMs, marginMs, message: 'another pod is tried before clients give up' };
    const message = `clients give up after ${spoken(clientMs)}, before another pod is tried`;
    return { level: 'warning', what, oursMs: clientMs, marginMs, message, fix: '`connect: 5s`' };
  },
};

const backpressure: ClockRule = {
  id: 'backpressure',
  title: 'A send timeout is no idle timeout',
  inequality: 'write < limit; limit < 1 h',
  why: 'It runs only while a peer takes none of the bytes that wait for it, so it ends no silent connection, and raising it saves none. A high one hides a peer that is stuck.',
  kinds: ['backpressure'],
  judge({ limitMs }, { environment }) {
    const oursMs = environment.keepalive.writeMs;
    const what = 'our limit of a write';
    if (limitMs === undefined) return { level: 'ok', what, oursMs, message: 'it is off' };
    const marginMs = limitMs - oursMs;
    if (limitMs >= 3_600_000) {
      const message = `${spoken(limitMs)} keeps no idle connection open; it only hides a peer that is stuck`;
      return { level: 'info', what, oursMs, marginMs, message, fix: 'leave it at 60 s' };
    }
    const level: Level = marginMs < 0 ? 'info' : 'ok';
    return {
      level,
      what,
      oursMs,
      marginMs,
      message: marginMs < 0 ? 'it is found by the hop, and not by us' : 'we find a stuck peer first',
    };
  },
};

/** Hops that dial pods, and never ask the Service. */
const DIALS_PODS = new Set([
  'ingress-nginx',
  'nginx-ingress',
  'nginx-gateway-fabric',
  'envoy-gateway',
  'istio',
  'traefik',
  'holdfast-gateway',
]);

const affinity: ClockRule = {
  id: 'affinity',
  title: 'An affinity that is asked',
  inequality: 'none: it ends no connection',
  why: 'ClientIP affinity is asked by kube-proxy for new connections. Whatever dials pods itself goes past it, and what sits behind a proxy sees one address.',
  kinds: ['affinity'],
  judge({ limitMs, limitFrom }, { environment, links }) {
    const what = 'a session without a transport';
    const oursMs = environment.connect.sessionMs;
    if (limitMs === undefined || limitFrom === 'default')
      return { level: 'ok', what, oursMs, message: 'no ClientIP affinity is set' };
    const passer = links.find(({ use }) => DIALS_PODS.has(use.kind));
    if (passer) {
      const message = `${passer.use.name} dials pods itself: the Service is never asked, and its ClientIP affinity does nothing`;
      return { level: 'warning', what, oursMs, message, fix: 'leave it out; use the stickiness of the route' };
    }
    const marginMs = limitMs - oursMs;
    return marginMs >= 0
      ? { level: 'ok', what, oursMs, marginMs, message: 'a client that comes back finds its pod' }
      : { level: 'info', what, oursMs, marginMs, message: 'a session may outlive its affinity, and resume elsewhere' };
  },
};

export const CLOCK_RULES: readonly ClockRule[] = [
  idle,
  eachDirection,
  silent,
  lifetime,
  cohort,
  connect,
  backpressure,
  affinity,
];

/** Whole sentences about the pod, whatever stands in front. */
export const GRACE: BudgetRule = {
  id: 'grace',
  title: 'The pod is empty before it is killed',
  inequality: `preStop + drain + closing (1 s) + ${KILL_RESERVE_MS / 1_000} s < terminationGracePeriodSeconds; where a platform has its own clock (Cloud Run, Fly.io), that one, and no preStop`,
  why: 'The grace period begins with preStop, not with SIGTERM. At its end comes SIGKILL: what is still connected sees 1006, and what was not committed is redelivered.',
};
export const RATE: BudgetRule = {
  id: 'rate',
  title: 'The drain is long enough for all of its sessions',
  inequality: 'propagation + connections / movesPerSecond <= drain',
  why: 'Sessions move at a capped rate, so that the pods that take them are not overrun. Those that are left at the deadline are cut with 1012.',
};
export const DEAD: BudgetRule = {
  id: 'dead',
  title: 'A ping has time to be answered',
  inequality: 'ping + round trip (p99) < dead',
  why: 'A peer counts as dead after a silence. If that is hardly longer than the interval of the pings, a slow answer ends a healthy connection.',
};

/** All of them, for those who explain. */
export const BUDGET_RULES: readonly BudgetRule[] = [...CLOCK_RULES, DEAD, GRACE, RATE];
