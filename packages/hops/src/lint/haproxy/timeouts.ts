import { effectiveLine, effectiveOption, haproxyMs, type HaproxySection, linesIn } from '../../haproxy/parser.js';
import { writtenMs } from '../../nginx/values.js';
import { slowest } from '../context.js';
import { insertBehind } from '../edits.js';
import type { Rule } from '../rule.js';
import { type HaproxyUnit, placeOf } from './config.js';

const timeout = (section: HaproxySection, name: string): number | undefined =>
  haproxyMs(effectiveLine(section, 'timeout', name)?.words[2]?.text);

export const noTunnelTimeout: Rule<HaproxyUnit> = {
  id: 'HAP001',
  name: 'no-timeout-tunnel',
  severity: 'error',
  title: 'No timeout tunnel for WebSockets',
  what: 'A backend or listen that WebSockets go to (by an ACL on Upgrade or a path, its name, or the policy) has no `timeout tunnel` of its own and none in its defaults, or 0, which counts as none.',
  why: 'After the upgrade the shorter of `timeout client` and `timeout server` is the idle limit of both directions together. They are made for requests, so quiet WebSockets end after some seconds.',
  fix: 'Set `timeout tunnel 1h` in the backend or its defaults.',
  source: 'HAProxy documentation of timeout tunnel; measured with HAProxy 2.6.12.',
  *check({ webSockets }) {
    for (const { section, frontends } of webSockets) {
      const line = effectiveLine(section, 'timeout', 'tunnel');
      if (line && haproxyMs(line.words[2]?.text) !== 0) continue;
      const client = frontends.map((frontend) => timeout(frontend, 'client'));
      const limits = [timeout(section, 'server'), ...client].filter((ms) => ms !== undefined && ms > 0) as number[];
      const result =
        limits.length > 0
          ? `silence of ${writtenMs(Math.min(...limits))} ends them`
          : 'the timeouts for requests end them';
      yield {
        at: placeOf(line ?? section.head),
        message: `no timeout tunnel for the WebSockets of ${section.kind} ${section.name}: ${result}`,
      };
    }
  },
};

export const tunnelInFrontend: Rule<HaproxyUnit> = {
  id: 'HAP002',
  name: 'tunnel-in-frontend',
  severity: 'error',
  title: 'timeout tunnel in a frontend is ignored',
  what: '`timeout tunnel` stands in a `frontend` section.',
  why: 'It is a timeout of backends. HAProxy 2.6 warns, starts, and ignores it, so WebSockets end as if it were not there.',
  fix: 'Move it to the backend or to defaults.',
  source: 'HAProxy documentation of timeout tunnel; judged by HAProxy 2.6.12 in a test.',
  *check({ config }) {
    for (const section of config.sections.filter(({ kind }) => kind === 'frontend')) {
      for (const line of linesIn(section, 'timeout', 'tunnel')) {
        yield { at: placeOf(line), message: `timeout tunnel in frontend ${section.name} is ignored` };
      }
    }
  },
};

export const independentStreams: Rule<HaproxyUnit> = {
  id: 'HAP003',
  name: 'independent-streams',
  severity: 'error',
  title: 'Each direction has to stay busy by itself',
  what: '`option independent-streams` is in effect where WebSockets pass.',
  why: 'Traffic of one direction no longer counts for the other: pings of the server alone, or a heartbeat of the client alone, do not keep a connection. It was made for another purpose, broken clients that only download.',
  fix: 'Remove it.',
  source: 'HAProxy documentation of option independent-streams; measured with HAProxy 2.6.12.',
  *check({ webSockets }) {
    for (const { section, frontends } of webSockets) {
      for (const each of [section, ...frontends]) {
        const line = effectiveOption(each, 'independent-streams');
        if (line) yield { at: placeOf(line), message: 'bytes in one direction do not keep the other open' };
      }
    }
  },
};

export const noClientFin: Rule<HaproxyUnit> = {
  id: 'HAP004',
  name: 'no-client-fin',
  severity: 'warning',
  title: 'Half-closed WebSockets stay for the tunnel timeout',
  what: '`timeout tunnel` is in effect for WebSockets, and a frontend that leads there has no `timeout client-fin`.',
  why: 'A client that vanishes after its FIN, or never answers ours, keeps its connection for the whole tunnel timeout, an hour or more: sockets in FIN_WAIT pile up.',
  fix: 'Set `timeout client-fin 30s` in defaults or the frontend.',
  source: 'HAProxy documentation of timeout client-fin.',
  *check({ webSockets }) {
    for (const { section, frontends } of webSockets) {
      const tunnel = effectiveLine(section, 'timeout', 'tunnel');
      if (tunnel === undefined || haproxyMs(tunnel.words[2]?.text) === 0) continue;
      const lacks = (frontends.length > 0 ? frontends : [section]).some(
        (each) => !effectiveLine(each, 'timeout', 'client-fin'),
      );
      if (!lacks) continue;
      const isAllowed = section.kind === 'listen' || linesIn(section, 'timeout', 'tunnel').length === 0;
      yield {
        at: placeOf(tunnel),
        message: `half-closed connections stay for ${tunnel.words[2]?.text ?? ''}: there is no timeout client-fin`,
        edits: isAllowed ? [insertBehind(tunnel, ['timeout client-fin 30s'])] : undefined,
      };
    }
  },
};

/** The drain of a policy that says nothing else. */
const DRAIN_MS = 25_000;

export const hardStop: Rule<HaproxyUnit> = {
  id: 'HAP006',
  name: 'no-hard-stop',
  severity: 'warning',
  title: 'Old processes live as long as their last WebSocket, or cut them too early',
  what: 'A configuration with `global` and WebSockets has no `hard-stop-after`, or one below the drain of the policy (25 s without one).',
  why: 'After a reload the old process serves its tunnels on without a limit, and processes pile up. One that is too short ends all their connections at the same instant.',
  fix: 'Set `hard-stop-after` in global to the drain or more.',
  source: 'HAProxy documentation of hard-stop-after.',
  *check({ global, webSockets }, context) {
    if (global === undefined || webSockets.length === 0) return;
    const line = linesIn(global, 'hard-stop-after').at(-1);
    if (line === undefined) {
      yield {
        at: placeOf(global.head),
        message: 'after each reload the old process stays until its last WebSocket ends: hard-stop-after is not set',
      };
      return;
    }
    const ms = haproxyMs(line.words[1]?.text);
    const drain = slowest(context, 'drain', (environment) => environment.drain.deadlineMs) ?? {
      ms: DRAIN_MS,
      from: 'the default drain',
    };
    if (ms === undefined || ms >= drain.ms) return;
    yield {
      at: placeOf(line),
      message: `each reload cuts every WebSocket after ${writtenMs(ms)}, less than ${writtenMs(drain.ms)}, ${drain.from}`,
    };
  },
};
