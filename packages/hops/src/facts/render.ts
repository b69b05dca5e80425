import type { Hop } from '@holdfast/policy';
import { NOTHING } from './words.js';

export const render: Hop = {
  kind: 'render',
  title: 'Render',
  what: 'WebSockets are supported; no idle time and no lifetime are published.',
  clocks: [
    {
      name: 'replace',
      title: 'replacement of an instance',
      kind: 'cohort',
      defaultMs: undefined,
      resetBy: NOTHING,
      clientSees: '1006 or 1001',
      raise: undefined,
      known: ['documentation'],
    },
  ],
  notes: ['Instances are replaced at deployments and for maintenance.'],
  sources: ['https://render.com/docs/websocket'],
};
