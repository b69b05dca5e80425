import { formatDuration, judgeBudget, type Environment, type Link, type Verdict } from '@holdfast/policy';
import { linksOf } from '../../facts/index.js';
import type { RuleFacts, Severity } from '../rule.js';

/** Something that a rule about a policy has found in one of its environments. */
export interface PolicyReport {
  /** Field of the environment, as `keepalive.plainPingMs`: where it was set is what a person must change. */
  readonly field: string;
  readonly message: string;
  readonly severity?: Severity;
}

export interface PolicyRule extends RuleFacts {
  readonly check: (environment: Environment) => Iterable<PolicyReport>;
}

/** Hops whose silence has a rule of its own: one cause is one finding. */
const OWN_RULE = new Set(['cloudflare', 'heroku']);
const IDLE_RULES = new Set(['idle', 'each-direction', 'silent']);

const seconds = (ms: number): string => (ms < 60_000 ? `${ms / 1_000} s` : formatDuration(ms));

/** The field that the longest silence comes from. */
function pingField({ keepalive }: Environment): string {
  if (keepalive.application) return 'keepalive.application.pingMs';
  const fields = ['plainPingMs', 'backgroundPingMs', 'pingMs'] as const;
  const longest = fields.reduce((most, field) => (keepalive[field] > keepalive[most] ? field : most));
  return `keepalive.${longest}`;
}

function silences(environment: Environment, isMeant: (link: Link) => boolean): Verdict[] {
  const links = linksOf(environment).filter(isMeant);
  return judgeBudget(environment, links).filter(
    ({ rule, level }) => IDLE_RULES.has(rule) && (level === 'error' || level === 'warning'),
  );
}

function* silenceReports(environment: Environment, isMeant: (link: Link) => boolean): Generator<PolicyReport> {
  for (const { hop, clock, message, level } of silences(environment, isMeant)) {
    const severity = level === 'error' ? 'error' : 'warning';
    yield { field: pingField(environment), severity, message: `${hop}, ${clock}: ${message}` };
  }
}

const isOneWay = ({ keepalive: { application } }: Environment): boolean =>
  application !== undefined && application.from !== 'both';
const isAt = (environment: Environment, kind: string): boolean => environment.hops.some((hop) => hop.kind === kind);

export const policyRules: readonly PolicyRule[] = [
  {
    id: 'APP001',
    name: 'ping-vs-budget',
    severity: 'error',
    title: 'The ping is too slow for a hop',
    what: 'The longest silence of a connection is not well below the idle limit of a hop in the chain; `holdfast check` shows them all.',
    why: 'The shortest idle limit of the chain ends silent connections, without a close frame.',
    fix: 'Ping at most half as long apart as the shortest limit, or raise the limit.',
    source: 'The facts about each hop, `holdfast explain`.',
    check: (environment) => silenceReports(environment, ({ use }) => !OWN_RULE.has(use.kind)),
  },
  {
    id: 'APP002',
    name: 'pong-below-ping',
    severity: 'error',
    title: 'A ping has no time to be answered',
    what: 'The time after which a silent peer counts as dead is not longer than the ping and a slow round trip together.',
    why: 'A healthy connection is given up as soon as one answer is slow.',
    fix: 'Make `dead` at least twice `ping`.',
    source: 'PROTOCOL.md, liveness.',
    *check(environment) {
      for (const { rule, level, clock, message, oursMs, limitMs } of judgeBudget(environment, [])) {
        if (rule !== 'dead' || level !== 'error') continue;
        const [key = ''] = clock.split(' ');
        const text = `${clock} is ${seconds(limitMs ?? 0)} with a ping after ${seconds(oursMs ?? 0)}: ${message}`;
        yield { field: `keepalive.${key}Ms`, message: text };
      }
    },
  },
  {
    id: 'APP003',
    name: 'no-dead-peer',
    severity: 'warning',
    title: 'One end never learns that the other is gone',
    what: 'The application has a heartbeat of its own that only one end sends.',
    why: 'The end that is not answered believes in a dead connection until it writes, and then for as long as TCP repeats itself.',
    fix: 'Answer each heartbeat, and judge its absence on both ends; or use the pings of holdfast or RFC 6455, which are answered.',
    source: 'RFC 6455, section 5.5.2.',
    *check(environment) {
      // Where the hop itself needs both directions, that is the graver finding of the same cause.
      if (!isOneWay(environment) || isAt(environment, 'heroku')) return;
      const { from } = environment.keepalive.application ?? {};
      yield {
        field: 'keepalive.application.from',
        message: `only the ${from} sends the heartbeat, and hears nothing in return`,
      };
    },
  },
  {
    id: 'APP004',
    name: 'no-jitter',
    severity: 'warning',
    title: 'Clients come back together',
    what: 'Connections have a longest age without jitter, or the bounds of the backoff are equal.',
    why: 'What was connected together is moved together: every deployment is repeated as a storm, again and again.',
    fix: '`drain.jitter` of 0.2, and `connect.retryMax` well above `connect.retryMin`.',
    source: 'PROTOCOL.md, connecting.',
    *check({ drain, connect }) {
      if (drain.maxAgeMs !== undefined && drain.ageJitter === 0) {
        yield {
          field: 'drain.ageJitter',
          message: `connections live for exactly ${seconds(drain.maxAgeMs)}: those made together end together`,
        };
      }
      if (connect.retryMaxMs === connect.retryMinMs) {
        yield {
          field: 'connect.retryMaxMs',
          message: `the backoff never grows beyond ${seconds(connect.retryMaxMs)}: a busy server gets no rest`,
        };
      }
    },
  },
  {
    id: 'CLD006',
    name: 'heroku-one-way',
    severity: 'error',
    title: 'Heroku needs bytes both ways',
    what: 'A heartbeat that only one end sends, or one slower than 55 s, behind Heroku’s router.',
    why: 'Each direction has a window of 55 s of its own: H15 when the dyno is silent, H28 when the client is.',
    fix: 'Ping and pong at most 25 s apart, or a heartbeat that is answered.',
    source: 'Heroku, request timeout: long-polling and streaming responses.',
    check: (environment) => silenceReports(environment, ({ use }) => use.kind === 'heroku'),
  },
  {
    id: 'CLD007',
    name: 'cloudflare-idle',
    severity: 'error',
    title: 'The ping is too slow for Cloudflare',
    what: 'The longest silence of a connection is not well below the 100 s that Cloudflare waits.',
    why: 'It then closes the connection with 1006. Any frame in either direction counts, a ping too.',
    fix: 'Ping at most 45 s apart.',
    source: 'Cloudflare, WebSockets and connection limits.',
    check: (environment) => silenceReports(environment, ({ use }) => use.kind === 'cloudflare'),
  },
];
