import type { Hop } from '@holdfast/policy';
import { NOTHING } from './words.js';

export const cloudRun: Hop = {
  kind: 'cloud-run',
  title: 'Google Cloud Run',
  what: 'A WebSocket is one request, and the request timeout is its lifetime.',
  clocks: [
    {
      name: 'lifetime',
      title: 'request timeout',
      kind: 'lifetime',
      defaultMs: 300_000,
      resetBy: NOTHING,
      clientSees: '1006 at that age',
      raise: '`gcloud run services update NAME --timeout 3600`; 60 min are the most',
      known: ['documentation'],
      maxMs: 3_600_000,
      setBy: 'request',
    },
    {
      name: 'kill',
      title: 'SIGKILL after SIGTERM',
      kind: 'cohort',
      defaultMs: 10_000,
      resetBy: NOTHING,
      clientSees: '1006, when an instance is stopped',
      raise: undefined,
      known: ['documentation'],
      maxMs: 10_000,
      kills: 'pod',
    },
  ],
  notes: [
    'No ping lengthens it: connections have to be moved before it ends.',
    'There is neither a preStop nor a grace period: `drain.deadline` has to fit into the 10 s, `drain.grace` means nothing.',
    'Session affinity is best effort.',
    'End-to-end HTTP/2 must stay off.',
  ],
  sources: [
    'https://docs.cloud.google.com/run/docs/triggering/websockets',
    'https://docs.cloud.google.com/run/docs/container-contract',
  ],
};
