import type { Hop } from '@holdfast/policy';
import { NOTHING } from './words.js';

export const gcpClassicAlb: Hop = {
  kind: 'gcp-classic-alb',
  title: 'Google Cloud classic ALB (GKE Ingress)',
  what: 'Its backend timeout is the lifetime of a WebSocket, idle or busy, and 30 s by default.',
  clocks: [
    {
      name: 'lifetime',
      title: 'backend service timeout',
      kind: 'lifetime',
      defaultMs: 30_000,
      resetBy: NOTHING,
      clientSees: '1006 at exactly that age',
      raise: '`BackendConfig.spec.timeoutSec`, named by an annotation on the Service, not on the Ingress',
      known: ['documentation', 'secondhand', 'incident'],
      maxMs: 86_400_000,
    },
  ],
  notes: ['No heartbeat helps.'],
  sources: [
    'https://docs.cloud.google.com/load-balancing/docs/https/request-distribution',
    'kubernetes/ingress-gce issues 399 and 1803',
  ],
};
