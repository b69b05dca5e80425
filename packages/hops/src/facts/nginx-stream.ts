import type { Hop } from '@holdfast/policy';
import { EITHER, NOTHING } from './words.js';

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
      name: 'connect',
      title: 'proxy_connect_timeout',
      kind: 'connect',
      defaultMs: 60_000,
      resetBy: NOTHING,
      clientSees: 'the connection is closed before the handshake',
      raise: '`proxy_connect_timeout`',
      known: ['documentation'],
      maxMs: 75_000,
    },
    {
      name: 'shutdown',
      title: 'worker_shutdown_timeout',
      kind: 'cohort',
      defaultMs: undefined,
      resetBy: NOTHING,
      clientSees: '1006, for all connections of the old worker in the same instant',
      raise: '`worker_shutdown_timeout`',
      known: ['source'],
      covers: 'drain',
    },
  ],
  notes: [],
  sources: ['https://nginx.org/en/docs/stream/ngx_stream_proxy_module.html'],
};
