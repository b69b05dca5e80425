import type { Hop } from '@holdfast/policy';
import { EITHER, NOTHING } from './words.js';

export const envoyGateway: Hop = {
  kind: 'envoy-gateway',
  title: 'Envoy Gateway',
  what: 'The Gateway API on Envoy. WebSockets work for routes that are not HTTP/2.',
  clocks: [
    {
      name: 'idle',
      title: 'stream_idle_timeout',
      kind: 'idle-either',
      defaultMs: 300_000,
      resetBy: EITHER,
      clientSees: '1006; `SI` in the access log',
      raise: '`ClientTrafficPolicy.timeout.http.streamIdleTimeout`, or that of a BackendTrafficPolicy',
      known: ['source'],
      setBy: 'read',
    },
    {
      name: 'lifetime',
      title: 'max_stream_duration',
      kind: 'lifetime',
      defaultMs: undefined,
      resetBy: NOTHING,
      clientSees: '1006 at that age; `UMSDR` in the access log',
      raise: '`BackendTrafficPolicy.timeout.http.maxStreamDuration`',
      known: ['source'],
    },
    {
      name: 'handshake',
      title: 'route timeout',
      kind: 'connect',
      defaultMs: 15_000,
      resetBy: NOTHING,
      clientSees: '504 on a handshake that the pod does not answer; since 1.36 it ends with the 101',
      raise: '`HTTPRoute.timeouts.request: 0s`',
      known: ['source', 'incident'],
    },
    {
      name: 'drain',
      title: 'shutdown drain',
      kind: 'cohort',
      defaultMs: 60_000,
      resetBy: NOTHING,
      clientSees: '1006, for all connections of the process in the same instant',
      raise: '`EnvoyProxy.spec.shutdown.drainTimeout`',
      known: ['source'],
      covers: 'drain',
    },
  ],
  notes: [
    'A request timeout on the route makes the idle timeout of its streams the longer of one hour and that; `0s` switches it off.',
    '`requestBuffer` breaks WebSockets.',
    "The Service's `appProtocol: gateway.envoyproxy.io/ws` keeps the upstream on HTTP/1.1.",
  ],
  sources: ['https://github.com/envoyproxy/gateway at d32f2829 (1.9)'],
};
