import type { Hop } from '@holdfast/policy';
import { NOTHING } from './words.js';

export const traefik: Hop = {
  kind: 'traefik',
  title: 'Traefik',
  what: 'Traefik has no idle clock for WebSockets: its timeouts end with the upgrade, and a dead peer is never found by it.',
  clocks: [
    {
      name: 'stop',
      title: 'lifeCycle.graceTimeOut',
      kind: 'cohort',
      defaultMs: 10_000,
      resetBy: NOTHING,
      clientSees: '1006, for all connections of the process in the same instant',
      raise: '`--entryPoints.NAME.transport.lifeCycle.graceTimeOut`',
      known: ['source'],
      covers: 'drain',
      after: 'restart',
    },
  ],
  notes: [
    'Versions 2.11.1 and 3.0.0-rc4 broke WebSockets.',
    'It can read ingress-nginx annotations: timeouts and persistent cookie affinity, not `connection-proxy-header`.',
  ],
  sources: ['https://github.com/traefik/traefik at fd5a576d (3.7)', 'traefik/traefik issues 8668, 10589, 10598, 10627'],
};
