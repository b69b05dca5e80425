import type { Hop } from '@holdfast/policy';
import { CLIENT_SEND, CONNECT, READ, SEND, SHUTDOWN } from './nginx-clocks.js';

export const nginxIngress: Hop = {
  kind: 'nginx-ingress',
  title: 'F5 NGINX Ingress Controller',
  what: 'The ingress controller of F5 on nginx, whose annotations begin with `nginx.org/`.',
  clocks: [
    {
      ...READ,
      raise: 'annotation `nginx.org/proxy-read-timeout: "3600s"`, with a unit',
      known: ['source'],
    },
    {
      ...SEND,
      raise: 'annotation `nginx.org/proxy-send-timeout`; it is no idle timeout',
      known: ['source'],
    },
    {
      ...CLIENT_SEND,
      raise: '`send_timeout`',
      known: ['source'],
    },
    {
      ...CONNECT,
      raise: 'annotation `nginx.org/proxy-connect-timeout`',
    },
    {
      ...SHUTDOWN,
      raise: 'ConfigMap `main-snippets: worker_shutdown_timeout 5m;`',
      known: ['source'],
    },
  ],
  notes: [
    'An Ingress forwards Upgrade only to services named in `nginx.org/websocket-services`; a VirtualServer does so by itself.',
  ],
  sources: ['https://github.com/nginx/kubernetes-ingress at 0eb3072d (v5.5)'],
};
