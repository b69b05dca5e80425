import type { Hop } from '@holdfast/policy';
import { CLIENT_SEND, CONNECT, READ, SEND, SHUTDOWN } from './nginx-clocks.js';

export const nginx: Hop = {
  kind: 'nginx',
  title: 'nginx',
  what: 'nginx as an HTTP proxy. Its idle clock of a WebSocket is `proxy_read_timeout`, which bytes of either direction reset.',
  clocks: [
    {
      ...READ,
      raise: '`proxy_read_timeout` in the location',
      known: ['source', 'measured'],
      setBy: 'read',
    },
    {
      ...SEND,
      raise: '`proxy_send_timeout`; raising it does nothing against idle kills',
      known: ['source', 'measured'],
      setBy: 'send',
    },
    {
      ...CLIENT_SEND,
      raise: '`send_timeout`',
      known: ['source', 'measured'],
    },
    {
      ...CONNECT,
      known: ['measured', 'documentation'],
      raise: '`proxy_connect_timeout`',
      setBy: 'connect',
    },
    {
      ...SHUTDOWN,
      raise: '`worker_shutdown_timeout`',
      known: ['source', 'measured'],
      setBy: 'drain',
    },
  ],
  notes: [
    '`proxy_send_timeout` does not fire because a client is silent: it runs only while nginx holds bytes that the pod does not take. Raising it keeps no idle connection open, and hides a pod that is stuck.',
    'A reload leaves old workers alive until their last tunnel ends, unless `worker_shutdown_timeout` is set; then it ends them all at once, whatever they carry.',
    'An idle kill is logged at level info (`upstream timed out ... while proxying upgraded connection`): with the default `error_log` it leaves no trace but a 101 in the access log.',
    '`proxy_http_version` is 1.1 by default since 1.29.7; before, it has to be said.',
    'A `proxy_set_header` in a location drops all that are inherited, Upgrade and Connection among them.',
    "`ip_hash` looks at the first three numbers of an IPv4 address. It hashes the address of whoever is in front unless realip puts the client's there.",
    '`worker_connections` counts two for each proxied WebSocket.',
    'There is no WebSocket over HTTP/2 or HTTP/3; browsers open an HTTP/1.1 connection for it.',
  ],
  sources: [
    'nginx source, src/http/ngx_http_upstream.c, ngx_http_upstream_process_upgraded',
    'https://nginx.org/en/docs/http/websocket.html',
    'https://nginx.org/en/docs/http/ngx_http_proxy_module.html',
    'measured with nginx 1.22.1',
  ],
};
