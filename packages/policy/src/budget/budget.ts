import type { Link } from '../clock.js';
import type { Environment } from '../policy.js';
import { formatDuration } from '../units.js';
import { CLOCK_RULES, DEAD, GRACE, RATE } from './rules.js';
import {
  drainMs,
  FLUSH_MS,
  KILL_RESERVE_MS,
  LEVELS,
  tickingOf,
  type BudgetOptions,
  type Context,
  type Level,
  type Verdict,
} from './verdict.js';

/** Every inequality over the chain of an environment, from the client to the pod. */
export function judgeBudget(
  environment: Environment,
  links: readonly Link[],
  { rttMs = 500 }: BudgetOptions = {},
): Verdict[] {
  const context: Context = { environment, links, rttMs };
  return [...deadVerdicts(context), ...clockVerdicts(context), graceVerdict(context), rateVerdict(environment)];
}

function clockVerdicts(context: Context): Verdict[] {
  return tickingOf(context).flatMap((ticking) =>
    CLOCK_RULES.filter(({ kinds }) => kinds.includes(ticking.kind)).flatMap((rule) => {
      const said = rule.judge(ticking, context);
      if (!said) return [];
      const { link, clock, limitMs, limitFrom, paths } = ticking;
      return [
        {
          rule: rule.id,
          hop: link.use.name,
          clock: clock.title,
          limitMs,
          limitFrom,
          paths,
          marginMs: undefined,
          ...said,
        },
      ];
    }),
  );
}

const PINGS = [
  ['sessions', 'pingMs', 'deadMs', 'dead'],
  ['hidden pages', 'backgroundPingMs', 'backgroundDeadMs', 'backgroundDead'],
  ['plain clients', 'plainPingMs', 'plainPongMs', 'plainPong'],
] as const;

function deadVerdicts({ environment: { keepalive }, rttMs }: Context): Verdict[] {
  if (keepalive.application) return [];
  return PINGS.map(([who, ping, dead, key]) => {
    const marginMs = keepalive[dead] - keepalive[ping] - rttMs;
    return {
      rule: DEAD.id,
      level: marginMs > 0 ? 'ok' : 'error',
      hop: 'client',
      clock: key,
      limitMs: keepalive[dead],
      limitFrom: 'policy',
      what: `ping of ${who}`,
      oursMs: keepalive[ping],
      marginMs,
      message:
        marginMs > 0 ? 'a ping has time to be answered' : 'a healthy connection counts as dead when an answer is slow',
      ...(marginMs <= 0 && { fix: `raise \`keepalive.${key}\`` }),
      paths: [],
    };
  });
}

/** What kills the pod: the grace period of Kubernetes, unless a platform of the chain has a clock of its own for it. */
interface Killer extends Pick<Verdict, 'hop' | 'clock' | 'limitMs' | 'limitFrom'> {
  readonly limitMs: number;
  /** Inside of the limit; undefined where the platform has none. */
  readonly preStopMs: number | undefined;
  readonly fix: (oursMs: number) => string;
}

function killerOf(context: Context): Killer {
  const { drain } = context.environment;
  for (const { link, clock, limitMs, limitFrom } of tickingOf(context)) {
    if (clock.kills === undefined || limitMs === undefined) continue;
    const fix = (oursMs: number): string => {
      const neededMs = enough(oursMs);
      if (clock.raise !== undefined && neededMs <= (clock.maxMs ?? Infinity))
        return `set it to ${formatDuration(neededMs)} or more, or a shorter \`drain.deadline\``;
      const most = formatDuration(Math.max(1_000, limitMs - FLUSH_MS - KILL_RESERVE_MS - 1_000));
      return `\`drain: {deadline: ${most}}\` or less, and a shorter \`propagation\`; it cannot be raised that far`;
    };
    return { hop: link.use.name, clock: clock.title, limitMs, limitFrom, preStopMs: undefined, fix };
  }
  return {
    hop: 'pod',
    clock: 'terminationGracePeriodSeconds',
    limitMs: drain.graceMs,
    limitFrom: 'policy',
    preStopMs: drain.preStopMs,
    fix: (oursMs) => `\`drain: {grace: ${formatDuration(enough(oursMs))}}\` or more, or a shorter deadline`,
  };
}

const enough = (oursMs: number): number => wholeSeconds(oursMs + KILL_RESERVE_MS + 1_000);

function graceVerdict(context: Context): Verdict {
  const { preStopMs, fix, ...killer } = killerOf(context);
  const oursMs = (preStopMs ?? 0) + drainMs(context.environment);
  const marginMs = killer.limitMs - oursMs - KILL_RESERVE_MS;
  const before = preStopMs === undefined ? '' : `preStop ${preStopMs / 1_000} s, `;
  const parts = `${before}drain ${context.environment.drain.deadlineMs / 1_000} s, closing ${FLUSH_MS / 1_000} s and ${KILL_RESERVE_MS / 1_000} s in reserve`;
  const isEnough = marginMs > 0;
  return {
    rule: GRACE.id,
    level: isEnough ? 'ok' : 'error',
    ...killer,
    what: preStopMs === undefined ? 'drain and closing' : 'preStop, drain and closing',
    oursMs,
    marginMs,
    message: isEnough
      ? `${parts} fit`
      : `${killer.limitMs / 1_000} s leave no margin for ${parts}: SIGKILL comes while connections are being moved`,
    ...(!isEnough && { fix: fix(oursMs) }),
    paths: [],
  };
}

const wholeSeconds = (ms: number): number => Math.ceil(ms / 1_000) * 1_000;

function rateVerdict(environment: Environment): Verdict {
  const { deadlineMs, propagationMs, movesPerSecond } = environment.drain;
  const { connections } = environment.limits;
  const movingMs = (connections / movesPerSecond) * 1_000;
  const oursMs = propagationMs + movingMs;
  const marginMs = deadlineMs - oursMs;
  const isEnough = marginMs >= 0;
  return {
    rule: RATE.id,
    level: isEnough ? 'ok' : 'warning',
    hop: 'pod',
    clock: 'drain deadline',
    limitMs: deadlineMs,
    limitFrom: 'policy',
    what: `${connections} connections at ${movesPerSecond} a second`,
    oursMs,
    marginMs,
    message: isEnough
      ? 'all sessions can be moved'
      : `a full pod needs ${formatDuration(wholeSeconds(movingMs))} to move its sessions; what is left is cut with 1012`,
    ...(!isEnough && { fix: 'raise `drain.movesPerSecond` or `drain.deadline`, or lower `limits.connections`' }),
    paths: [],
  };
}

/** The gravest level of some verdicts. */
export const worst = (verdicts: readonly Verdict[]): Level =>
  verdicts.reduce<Level>(
    (level, verdict) => (LEVELS.indexOf(verdict.level) > LEVELS.indexOf(level) ? verdict.level : level),
    'ok',
  );
