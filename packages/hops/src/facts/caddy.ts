import type { Hop } from '@holdfast/policy';
import { NOTHING } from './words.js';

export const caddy: Hop = {
  kind: 'caddy',
  title: 'Caddy',
  what: 'Caddy has no idle clock. It ends WebSockets with a real close frame.',
  clocks: [
    {
      name: 'lifetime',
      title: 'stream_timeout',
      kind: 'lifetime',
      defaultMs: undefined,
      resetBy: NOTHING,
      clientSees: '1001, clean',
      raise: '`stream_timeout`',
      known: ['source'],
    },
    {
      name: 'reload',
      title: 'stream_close_delay',
      kind: 'cohort',
      defaultMs: 0,
      resetBy: NOTHING,
      clientSees: '1001, clean, for all connections at every reload of the configuration',
      raise: '`stream_close_delay 5m`',
      known: ['source'],
      covers: 'drain',
      after: 'reload',
    },
  ],
  notes: ['Without `stream_close_delay` every reload closes every WebSocket at once.'],
  sources: ['https://github.com/caddyserver/caddy at 0cf03d32 (2.11)'],
};
