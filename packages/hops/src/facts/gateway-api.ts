import type { Hop } from '@holdfast/policy';
import { NOTHING } from './words.js';

export const gatewayApi: Hop = {
  kind: 'gateway-api',
  title: 'Gateway API',
  what: 'The interface of Kubernetes for gateways. It has a request timeout and none for idle connections; what it means for a WebSocket is up to the implementation.',
  clocks: [
    {
      name: 'request',
      title: 'HTTPRoute.timeouts.request',
      kind: 'connect',
      defaultMs: undefined,
      resetBy: NOTHING,
      clientSees: '504 on the handshake, or whatever the implementation makes of it',
      raise: '`timeouts.request: 0s`, which should switch it off',
      known: ['source'],
    },
  ],
  notes: [
    'Name the implementation as the hop: `envoy-gateway`, `istio`, `nginx-gateway-fabric`, `gcp-global-alb`.',
    '`sessionPersistence` is experimental, and its fields differ from version to version.',
    '`appProtocol: kubernetes.io/ws` on the Service says that a port speaks WebSocket.',
  ],
  sources: ['https://github.com/kubernetes-sigs/gateway-api at 4564255a (1.6.1)', 'GEP-1619, GEP-1911, GEP-1742'],
};
