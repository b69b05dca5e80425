import { own } from '../../nginx/effective.js';
import type { Node } from '../../nginx/tree.js';
import { timeMs, writtenMs } from '../../nginx/values.js';
import { slowest } from '../context.js';
import type { Rule } from '../rule.js';
import { type NginxConfig, placeOf } from './config.js';

const shutdownTimeout = ({ tree }: NginxConfig): Node | undefined => own(tree.main, 'worker_shutdown_timeout').at(-1);

export const noWorkerShutdown: Rule<NginxConfig> = {
  id: 'NGX023',
  name: 'no-worker-shutdown-timeout',
  severity: 'warning',
  title: 'Old workers live as long as their last WebSocket',
  what: 'A whole configuration with WebSockets and without `worker_shutdown_timeout`. A warning with a policy that has several replicas, whose rollouts reload nginx; information without one.',
  why: 'After a reload the old workers serve their WebSockets on, for ever. With frequent reloads there are dozens of them, each with the memory of a whole configuration.',
  fix: 'Set `worker_shutdown_timeout` to the drain of the policy or more, and below the grace period of the pod.',
  source: 'ngx_cycle.c; measured with nginx 1.22.1: a connection outlived the reload.',
  *check(config, { environments }) {
    const { tree, isMain, webSockets } = config;
    if (!isMain || webSockets.length === 0 || shutdownTimeout(config)) return;
    const [at] = [...own(tree.main, 'http'), ...own(tree.main, 'events')];
    const rolls = environments.some(({ rollout }) => rollout.replicas > 1 || rollout.autoscale !== undefined);
    if (at === undefined) return;
    yield {
      at: placeOf(at),
      severity: rolls ? 'warning' : 'info',
      message:
        'after each reload the old workers stay until their last WebSocket ends: worker_shutdown_timeout is not set',
    };
  },
};

/** How long a drain takes by default, as the ping of plain clients the least that makes sense. */
const DRAIN_MS = 30_000;

export const workerShutdownShort: Rule<NginxConfig> = {
  id: 'NGX024',
  name: 'worker-shutdown-short',
  severity: 'warning',
  title: 'A reload ends all WebSockets before they could move',
  what: '`worker_shutdown_timeout` is shorter than the window in which connections rotate: `drain.maxAge` of the policy, else its drain; 30 s, one ping of plain clients, without a policy.',
  why: 'At the timeout all connections of the old workers are cut at the same instant, busy or not, without a close frame; all their clients come back at once.',
  fix: 'Raise it above the window, and let the server move its clients (1012) before.',
  source:
    'ngx_cycle.c, nginx ticket 1419; measured with nginx 1.22.1: all were closed 2.1 s after the reload with 2 s.',
  *check(config, context) {
    const line = shutdownTimeout(config);
    const ms = timeMs(line?.directive.args[0]);
    if (line === undefined || ms === undefined || config.webSockets.length === 0) return;
    const window = slowest(context, 'rotation', ({ drain }) => drain.maxAgeMs ?? drain.deadlineMs) ?? {
      ms: DRAIN_MS,
      from: 'one default ping of plain clients',
    };
    if (ms >= window.ms) return;
    yield {
      at: placeOf(line),
      message: `each reload cuts every WebSocket after ${writtenMs(ms)}, less than ${writtenMs(window.ms)}, ${window.from}`,
    };
  },
};
