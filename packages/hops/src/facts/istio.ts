import type { Hop } from '@holdfast/policy';
import { IDLE } from './envoy-clocks.js';
import { NOTHING } from './words.js';

export const istio: Hop = {
  kind: 'istio',
  title: 'Istio',
  what: 'Istio: a gateway, or a sidecar beside the pod. Upgrades are always on.',
  clocks: [
    {
      ...IDLE,
      defaultMs: undefined,
      raise: 'an EnvoyFilter, or another connection profile; the profile EDGE sets 5 min on gateways',
      known: ['source'],
    },
    {
      name: 'handshake',
      title: 'VirtualService timeout',
      kind: 'connect',
      defaultMs: undefined,
      resetBy: NOTHING,
      clientSees: '504 on the handshake',
      raise: '`timeout` of the route',
      known: ['source'],
    },
    {
      name: 'drain',
      title: 'terminationDrainDuration',
      kind: 'cohort',
      defaultMs: 5_000,
      resetBy: NOTHING,
      clientSees: '1006: the sidecar exits while the application is still draining',
      raise: 'annotation `proxy.istio.io/config: {terminationDrainDuration: 60s}` on the pod',
      known: ['source'],
      covers: 'preStop and drain',
    },
  ],
  notes: ['A sidecar that exits first takes the connections with it, however carefully the application drains.'],
  sources: ['https://github.com/istio/istio at 86c9f01f'],
};
