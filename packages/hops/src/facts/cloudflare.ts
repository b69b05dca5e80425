import type { Hop } from '@holdfast/policy';
import { NOTHING } from './words.js';

export const cloudflare: Hop = {
  kind: 'cloudflare',
  title: 'Cloudflare',
  what: 'A CDN. Pings count as traffic.',
  clocks: [
    {
      name: 'idle',
      title: 'proxy read timeout',
      kind: 'idle-either',
      defaultMs: 100_000,
      resetBy: 'any frame in either direction, a ping too',
      clientSees: '1006',
      raise: undefined,
      known: ['documentation', 'incident'],
    },
    {
      name: 'restart',
      title: 'release of the edge',
      kind: 'cohort',
      defaultMs: undefined,
      resetBy: NOTHING,
      clientSees: '1001, "CloudFlare WebSocket proxy restarting"',
      raise: undefined,
      known: ['incident'],
    },
  ],
  notes: [
    'The page on WebSockets names no number; one measurement through a tunnel saw 126 s.',
    'Only Enterprise can raise it.',
  ],
  sources: [
    'https://developers.cloudflare.com/network/websockets/',
    'https://developers.cloudflare.com/fundamentals/reference/connection-limits/',
    'websockets/ws issue 1520',
  ],
};
