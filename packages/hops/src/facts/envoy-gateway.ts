import type { Hop } from '@holdfast/policy';
import { DRAIN, HANDSHAKE, IDLE, LIFETIME } from './envoy-clocks.js';

export const envoyGateway: Hop = {
  kind: 'envoy-gateway',
  title: 'Envoy Gateway',
  what: 'The Gateway API on Envoy. WebSockets work for routes that are not HTTP/2.',
  clocks: [
    {
      ...IDLE,
      raise: '`ClientTrafficPolicy.timeout.http.streamIdleTimeout`, or that of a BackendTrafficPolicy',
      known: ['source'],
      setBy: 'read',
    },
    {
      ...LIFETIME,
      raise: '`BackendTrafficPolicy.timeout.http.maxStreamDuration`',
      known: ['source'],
    },
    {
      ...HANDSHAKE,
      raise: '`HTTPRoute.timeouts.request: 0s`',
      known: ['source', 'incident'],
    },
    {
      ...DRAIN,
      title: 'shutdown drain',
      defaultMs: 60_000,
      raise: '`EnvoyProxy.spec.shutdown.drainTimeout`',
      known: ['source'],
    },
  ],
  notes: [
    'A request timeout on the route makes the idle timeout of its streams the longer of one hour and that; `0s` switches it off.',
    '`requestBuffer` breaks WebSockets.',
    "The Service's `appProtocol: gateway.envoyproxy.io/ws` keeps the upstream on HTTP/1.1.",
  ],
  sources: ['https://github.com/envoyproxy/gateway at d32f2829 (1.9)'],
};
