import type { Hop } from '@holdfast/policy';
import { GONE, NOTHING } from './words.js';

export const gcpGlobalAlb: Hop = {
  kind: 'gcp-global-alb',
  title: 'Google Cloud global external ALB',
  what: 'The Envoy-based global load balancer (`gke-l7-global-external-managed`).',
  clocks: [
    {
      name: 'idle',
      title: 'backend service timeout',
      kind: 'idle-either',
      defaultMs: 30_000,
      resetBy: 'traffic in either direction',
      clientSees: GONE,
      raise: '`GCPBackendPolicy.spec.default.timeoutSec`',
      known: ['secondhand'],
    },
    {
      name: 'lifetime',
      title: 'longest WebSocket',
      kind: 'lifetime',
      defaultMs: 86_400_000,
      resetBy: NOTHING,
      clientSees: GONE,
      raise: undefined,
      known: ['secondhand'],
    },
  ],
  notes: [],
  sources: ['https://docs.cloud.google.com/load-balancing/docs/https/request-distribution'],
};
