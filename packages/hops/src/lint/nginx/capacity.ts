import { effective, own } from '../../nginx/effective.js';
import type { Node } from '../../nginx/tree.js';
import { count } from '../../nginx/values.js';
import type { LintContext } from '../context.js';
import type { Problem, Rule } from '../rule.js';
import { type NginxConfig, placeOf } from './config.js';

const WORKER_CONNECTIONS = 512;

export const workerConnections: Rule<NginxConfig> = {
  id: 'NGX025',
  name: 'worker-connections',
  severity: 'warning',
  title: 'There are fewer connections than WebSockets need',
  what: '`worker_connections` (512 if not set) times `worker_processes`, halved, is less than the connections of one pod of the policy (`limits.connections`); not judged with `worker_processes auto` or without a policy. Or `worker_connections` is above `worker_rlimit_nofile`.',
  why: 'Each proxied WebSocket takes two connections, one to each side, for as long as it lives. When none is left nginx stops accepting, and clients wait in the backlog.',
  fix: 'Raise `worker_connections` to twice what a worker shall carry, and `worker_rlimit_nofile` with it.',
  source: 'nginx documentation of worker_connections.',
  *check({ tree, isMain, webSockets }, context) {
    if (!isMain || webSockets.length === 0) return;
    const line = own(tree.main, 'events')
      .flatMap((events) => own(events, 'worker_connections'))
      .at(-1);
    const at = line ?? own(tree.main, 'events')[0] ?? own(tree.main, 'http')[0];
    const each = line ? count(line.directive.args[0]) : WORKER_CONNECTIONS;
    if (at === undefined || each === undefined) return;
    const files = own(tree.main, 'worker_rlimit_nofile').at(-1);
    const filesMax = count(files?.directive.args[0]);
    if (files && filesMax !== undefined && each > filesMax) {
      const message = `a worker may open ${filesMax} files, fewer than its ${each} connections`;
      yield { at: placeOf(files), message };
    }
    yield* tooFew(at, each, own(tree.main, 'worker_processes').at(-1), context);
  },
};

function* tooFew(at: Node, each: number, processes: Node | undefined, context: LintContext): Generator<Problem> {
  const workers = processes ? count(processes.directive.args[0]) : 1;
  const wanted = Math.max(0, ...context.environments.map(({ limits }) => limits.connections));
  // With `auto` the number is that of processors, which is not written here.
  if (workers === undefined || (each * workers) / 2 >= wanted) return;
  yield {
    at: placeOf(at),
    message: `${workers} x ${each} connections carry ${Math.floor((each * workers) / 2)} WebSockets, the policy allows ${wanted} at one pod`,
  };
}

/** Connections that a reconnect storm brings at once from one address, without a policy: an office. */
const AT_ONCE = 20;

export const limits: Rule<NginxConfig> = {
  id: 'NGX030',
  name: 'limits-in-a-storm',
  severity: 'warning',
  title: 'A limit turns a reconnect storm into a loop of 503',
  what: '`limit_req` lets fewer requests through in its first second (rate and burst), or `limit_conn` fewer connections, than come back at once: `limits.connectionsPerAddress` of the policy, 20 without one; for a zone that is not by address `limits.connections`, or not judged.',
  why: 'After a drop all clients behind one address return in the same second. Refused ones get 503, try again, and keep the limit exhausted.',
  fix: 'Size the limit for a storm: a burst of the clients behind one address, or no limit on this location.',
  source: 'nginx documentation of limit_req and limit_conn.',
  *check({ webSockets, tree }, context) {
    const zones = zonesOf(tree.main);
    for (const { node } of webSockets) {
      for (const line of effective(node, 'limit_req')) {
        const zone = zones.get(argument(line, 'zone') ?? '');
        const burst = count(argument(line, 'burst') ?? '0');
        const wanted = zone && atOnce(zone.key, context);
        if (zone === undefined || burst === undefined || zone.perSecond === undefined || wanted === undefined) continue;
        const passes = Math.floor(burst + Math.max(1, zone.perSecond));
        if (passes < wanted.connections) yield tooSmall(line, passes, wanted);
      }
      for (const line of effective(node, 'limit_conn')) {
        const [name = '', most] = line.directive.args;
        const zone = zones.get(name);
        const passes = count(most);
        const wanted = zone && atOnce(zone.key, context);
        if (passes !== undefined && wanted !== undefined && passes < wanted.connections)
          yield tooSmall(line, passes, wanted);
      }
    }
  },
};

function tooSmall(line: Node, passes: number, wanted: { connections: number; from: string }): Problem {
  return {
    at: placeOf(line),
    message: `${line.directive.name} lets ${passes} through at once, fewer than come back together: ${wanted.connections}, ${wanted.from}`,
  };
}

interface Zone {
  readonly key: string;
  readonly perSecond?: number;
}

function zonesOf(main: Node): Map<string, Zone> {
  const zones = new Map<string, Zone>();
  for (const level of [main, ...own(main, 'http')]) {
    for (const line of [...own(level, 'limit_req_zone'), ...own(level, 'limit_conn_zone')]) {
      const [, rate, unit] = /^(\d{1,9})r\/([sm])$/.exec(argument(line, 'rate') ?? '') ?? [];
      const perSecond = rate === undefined ? undefined : Number(rate) / (unit === 'm' ? 60 : 1);
      const [name = ''] = (argument(line, 'zone') ?? '').split(':');
      zones.set(name, { key: line.directive.args[0] ?? '', perSecond });
    }
  }
  return zones;
}

function argument({ directive }: Node, name: string): string | undefined {
  return directive.args.find((text) => text.startsWith(`${name}=`))?.slice(name.length + 1);
}

function atOnce(key: string, { environments }: LintContext): { connections: number; from: string } | undefined {
  const [first] = environments;
  if (/remote_addr|realip|forwarded_for/.test(key)) {
    if (first === undefined) return { connections: AT_ONCE, from: 'the clients of an office' };
    const most = Math.max(...environments.map(({ limits: each }) => each.connectionsPerAddress));
    return { connections: most, from: 'connectionsPerAddress of the policy' };
  }
  if (first === undefined || !/^\$\{?(?:server_name|host|server_addr|server_port)\}?$/.test(key)) return undefined;
  return {
    connections: Math.max(...environments.map(({ limits: each }) => each.connections)),
    from: 'connections of the policy',
  };
}
