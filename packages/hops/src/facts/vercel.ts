import type { Hop } from '@holdfast/policy';
import { NOTHING } from './words.js';

export const vercel: Hop = {
  kind: 'vercel',
  title: 'Vercel functions',
  what: 'A WebSocket lives no longer than the function that serves it.',
  clocks: [
    {
      name: 'lifetime',
      title: 'maxDuration',
      kind: 'lifetime',
      defaultMs: 300_000,
      resetBy: NOTHING,
      clientSees: 'a close at that age',
      raise: '`maxDuration`; 800 s on Pro, 1,800 s in beta',
      known: ['documentation', 'secondhand'],
      maxMs: 1_800_000,
    },
  ],
  notes: ['A reconnect may reach another instance.'],
  sources: ['https://vercel.com/docs/functions/configuring-functions/duration'],
};
