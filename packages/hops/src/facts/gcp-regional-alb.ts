import type { Hop } from '@holdfast/policy';
import { NOTHING } from './words.js';

export const gcpRegionalAlb: Hop = {
  kind: 'gcp-regional-alb',
  title: 'Google Cloud regional or internal ALB',
  what: 'The Envoy-based regional load balancer. Reports say that pings do not count; it is judged as a lifetime.',
  clocks: [
    {
      name: 'lifetime',
      title: 'backend service timeout',
      kind: 'lifetime',
      defaultMs: 30_000,
      resetBy: NOTHING,
      clientSees: '1006 or 1011 at that age',
      raise: '`GCPBackendPolicy.spec.default.timeoutSec`, or BackendConfig',
      known: ['incident'],
    },
  ],
  notes: ['One incident: connections died after 30 s without data although the server sent RFC 6455 pings.'],
  sources: ['https://docs.cloud.google.com/load-balancing/docs/https/request-distribution'],
};
