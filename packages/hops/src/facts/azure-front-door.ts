import type { Hop } from '@holdfast/policy';
import { EITHER, GONE, NOTHING } from './words.js';

export const azureFrontDoor: Hop = {
  kind: 'azure-front-door',
  title: 'Azure Front Door',
  what: 'A CDN. At most 3,000 WebSockets a profile.',
  clocks: [
    {
      name: 'idle',
      title: 'idle timeout',
      kind: 'idle-either',
      defaultMs: 300_000,
      resetBy: EITHER,
      clientSees: GONE,
      raise: undefined,
      known: ['documentation'],
    },
    {
      name: 'lifetime',
      title: 'longest WebSocket',
      kind: 'lifetime',
      defaultMs: 14_400_000,
      resetBy: NOTHING,
      clientSees: GONE,
      raise: undefined,
      known: ['documentation'],
    },
  ],
  notes: ['A route with caching on loses its Upgrade header, and the handshake fails.'],
  sources: ['https://learn.microsoft.com/azure/frontdoor/standard-premium/websocket'],
};
