import type { Hop } from '@holdfast/policy';
import { CONNECT, SHUTDOWN } from './nginx-clocks.js';
import { EITHER } from './words.js';

export const nginxStream: Hop = {
  kind: 'nginx-stream',
  title: 'nginx stream',
  what: 'nginx as a TCP proxy (`stream`). It sees bytes, and no WebSocket.',
  clocks: [
    {
      name: 'idle',
      title: 'proxy_timeout',
      kind: 'idle-either',
      defaultMs: 600_000,
      resetBy: EITHER,
      clientSees: '1006: FIN',
      raise: '`proxy_timeout`',
      known: ['source'],
    },
    {
      ...CONNECT,
      clientSees: 'the connection is closed before the handshake',
      raise: '`proxy_connect_timeout`',
    },
    {
      ...SHUTDOWN,
      clientSees: '1006, for all connections of the old worker in the same instant',
      raise: '`worker_shutdown_timeout`',
      known: ['source'],
    },
  ],
  notes: [],
  sources: ['https://nginx.org/en/docs/stream/ngx_stream_proxy_module.html'],
};
