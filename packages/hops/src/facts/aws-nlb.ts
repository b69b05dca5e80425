import type { Hop } from '@holdfast/policy';
import { NOTHING, PACKET } from './words.js';

export const awsNlb: Hop = {
  kind: 'aws-nlb',
  title: 'AWS Network Load Balancer',
  what: 'An NLB forgets a silent flow and tells nobody.',
  clocks: [
    {
      name: 'idle',
      title: 'tcp.idle_timeout.seconds',
      kind: 'silent-l4',
      defaultMs: 350_000,
      resetBy: PACKET,
      clientSees: 'nothing when it ends; RST at the next packet',
      raise: 'attribute `tcp.idle_timeout.seconds` of the listener; TLS listeners have it fixed',
      known: ['documentation'],
      maxMs: 6_000_000,
      minMs: 60_000,
    },
    {
      name: 'deregistration',
      title: 'deregistration_delay.timeout_seconds',
      kind: 'cohort',
      defaultMs: 300_000,
      resetBy: NOTHING,
      clientSees: 'RST, when a target has gone for so long',
      raise: 'attribute of the target group',
      known: ['documentation'],
      maxMs: 3_600_000,
      covers: 'drain',
    },
  ],
  notes: ['Both ends must ping and judge, or one of them believes in a connection that is gone.'],
  sources: ['https://docs.aws.amazon.com/elasticloadbalancing/latest/network/network-load-balancers.html'],
};
