import { own } from '../../nginx/effective.js';
import type { Node } from '../../nginx/tree.js';
import { variables } from '../../nginx/values.js';
import type { Rule } from '../rule.js';
import { type NginxConfig, placeOf } from './config.js';

/** Names that Kubernetes answers, and whose addresses change with a rollout. */
const CLUSTER_NAME = /(?:\.svc(?:\.|$)|\.cluster\.local$|headless)/i;

const hostOf = (address: string): string => address.replace(/^https?:\/\//i, '').replace(/[:/].*$/, '');

export const singleBackendResolve: Rule<NginxConfig> = {
  id: 'NGX022',
  name: 'single-backend-resolve',
  severity: 'warning',
  title: 'The name of a Service is resolved once, when nginx starts',
  what: '`proxy_pass` of a WebSocket location, or a `server` of its upstream, is a name of Kubernetes DNS, without a variable and `resolver`, or `resolve`.',
  why: 'nginx asks for the addresses once. Behind a headless Service they are those of pods: after a rollout every reconnect goes to an address where nobody is, and gets 502 until nginx is reloaded.',
  fix: 'Set `resolver` and put the name into a variable (or `resolve` beside the server with a `zone`), or point at a Service with a cluster IP.',
  source: 'nginx documentation of proxy_pass and resolver.',
  *check({ webSockets, upstreams }) {
    const named = new Set(upstreams.map(({ name }) => name));
    for (const { pass } of webSockets) {
      const target = pass.directive.args[0] ?? '';
      const host = hostOf(target);
      if (variables(target).length === 0 && !named.has(host) && CLUSTER_NAME.test(host)) yield told(pass, host);
    }
    for (const { node } of upstreams.filter(({ webSockets: locations }) => locations.length > 0)) {
      for (const server of own(node, 'server')) {
        const host = hostOf(server.directive.args[0] ?? '');
        if (CLUSTER_NAME.test(host) && !server.directive.args.includes('resolve')) yield told(server, host);
      }
    }
  },
};

const told = (node: Node, host: string): { at: ReturnType<typeof placeOf>; message: string } => ({
  at: placeOf(node),
  message: `${host} is resolved once, when nginx starts: after a rollout its addresses are those of pods that are gone`,
});
