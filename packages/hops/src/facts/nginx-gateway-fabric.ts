import type { Hop } from '@holdfast/policy';
import { CLIENT_SEND, CONNECT, READ, SEND, SHUTDOWN } from './nginx-clocks.js';

export const nginxGatewayFabric: Hop = {
  kind: 'nginx-gateway-fabric',
  title: 'NGINX Gateway Fabric',
  what: 'The Gateway API on nginx. WebSockets work for any HTTPRoute.',
  clocks: [
    {
      ...READ,
      raise: '`ProxySettingsPolicy.spec.timeout.read`',
      known: ['source'],
      setBy: 'read',
    },
    {
      ...SEND,
      raise: '`ProxySettingsPolicy.spec.timeout.send`; it is no idle timeout',
      known: ['source'],
      setBy: 'send',
    },
    {
      ...CLIENT_SEND,
      raise: '`send_timeout`',
      known: ['source'],
    },
    {
      ...CONNECT,
      raise: '`ProxySettingsPolicy.spec.timeout.connect`',
      setBy: 'connect',
    },
    {
      ...SHUTDOWN,
      raise: 'a SnippetsFilter with `worker_shutdown_timeout`',
      known: ['source'],
    },
  ],
  notes: [
    '`HTTPRoute.timeouts` are not supported, and reported as such.',
    'The open source data plane reloads when endpoints change: a rollout drops connections, or piles up workers.',
    'Without Plus, `ip_hash` is the only stickiness.',
  ],
  sources: ['https://github.com/nginx/nginx-gateway-fabric at e55bfe33 (2.6)', 'nginx/nginx-gateway-fabric issue 5524'],
};
