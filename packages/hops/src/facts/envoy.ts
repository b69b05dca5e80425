import type { Hop } from '@holdfast/policy';
import { DRAIN, HANDSHAKE, IDLE, LIFETIME } from './envoy-clocks.js';
import { NOTHING } from './words.js';

export const envoy: Hop = {
  kind: 'envoy',
  title: 'Envoy',
  what: 'Envoy, configured directly. Without `upgrade_configs: [{upgrade_type: websocket}]` nothing is upgraded.',
  clocks: [
    {
      ...IDLE,
      raise: 'route `idle_timeout`, or `stream_idle_timeout` of the connection manager',
      known: ['documentation'],
      setBy: 'read',
    },
    {
      ...LIFETIME,
      raise: '`max_stream_duration` of the route',
      known: ['documentation'],
    },
    {
      name: 'connectionAge',
      title: 'max_connection_duration',
      kind: 'lifetime',
      defaultMs: undefined,
      resetBy: NOTHING,
      clientSees: '1006 after a drain; `DT` in the access log',
      raise: '`common_http_protocol_options.max_connection_duration`',
      known: ['documentation'],
    },
    {
      ...HANDSHAKE,
      raise: 'route `timeout: 0s`',
      known: ['documentation', 'incident'],
    },
    {
      ...DRAIN,
      title: '--parent-shutdown-time-s',
      defaultMs: 900_000,
      raise: '`--parent-shutdown-time-s`',
      known: ['unverified'],
    },
  ],
  notes: [
    'The route timeout of 15 s does not end a WebSocket that is established: it waits for the answer to the handshake.',
    'Circuit breakers of a cluster allow 1,024 requests by default, and each WebSocket is one: beyond that the handshake gets 503 with `UO`.',
    'An HTTP/2 upstream needs `allow_connect`, and a buffer filter breaks the upgrade.',
  ],
  sources: [
    'https://www.envoyproxy.io/docs/envoy/latest/faq/configuration/timeouts',
    'https://www.envoyproxy.io/docs/envoy/latest/intro/arch_overview/http/upgrades',
    'envoyproxy/envoy pull requests 41075 and 47245, issue 20062',
  ],
};
