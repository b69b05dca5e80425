import type { Hop } from '@holdfast/policy';
import { EITHER, NOTHING } from './words.js';

export const holdfastGateway: Hop = {
  kind: 'holdfast-gateway',
  title: 'holdfast gateway',
  what: 'The gateway of holdfast, which takes its numbers from the same policy.',
  clocks: [
    {
      name: 'read',
      title: 'read of the route',
      kind: 'idle-either',
      defaultMs: 3_600_000,
      resetBy: EITHER,
      clientSees: '1001, with the cause in the log',
      raise: '`read` of the route',
      known: ['source'],
      setBy: 'read',
    },
    {
      name: 'send',
      title: 'send of the route',
      kind: 'backpressure',
      defaultMs: 60_000,
      resetBy: 'the peer taking bytes again',
      clientSees: '1001 or 1006',
      raise: '`send` of the route',
      known: ['source'],
      setBy: 'send',
    },
    {
      name: 'connect',
      title: 'connect of the route',
      kind: 'connect',
      defaultMs: 5_000,
      resetBy: NOTHING,
      clientSees: '502 or 504 on the handshake, as JSON',
      raise: '`connect` of the route',
      known: ['source'],
      setBy: 'connect',
    },
  ],
  notes: ['Clients of holdfast.v1 and held clients stay while pods are replaced.'],
  sources: ['packages/gateway'],
};
