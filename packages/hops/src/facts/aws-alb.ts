import type { Hop } from '@holdfast/policy';
import { GONE, NOTHING } from './words.js';

export const awsAlb: Hop = {
  kind: 'aws-alb',
  title: 'AWS Application Load Balancer',
  what: 'An ALB understands WebSockets. Only payload resets its clock.',
  clocks: [
    {
      name: 'idle',
      title: 'idle_timeout.timeout_seconds',
      kind: 'idle-either',
      defaultMs: 60_000,
      resetBy: 'any byte of payload in either direction; TCP keepalive does not',
      clientSees: GONE,
      raise:
        'attribute `idle_timeout.timeout_seconds`; in Kubernetes annotation `alb.ingress.kubernetes.io/load-balancer-attributes`',
      known: ['documentation', 'secondhand'],
      maxMs: 4_000_000,
      minMs: 1_000,
      setBy: 'read',
    },
    {
      name: 'deregistration',
      title: 'deregistration_delay.timeout_seconds',
      kind: 'cohort',
      defaultMs: 300_000,
      resetBy: NOTHING,
      clientSees: '1006, when a target has gone for so long',
      raise: 'attribute of the target group',
      known: ['documentation'],
      maxMs: 3_600_000,
      covers: 'drain',
    },
  ],
  notes: [
    'Its own nodes are replaced now and then, which ends their connections together.',
    'It does not pass HTTP/2 PING frames on.',
  ],
  sources: ['https://docs.aws.amazon.com/elasticloadbalancing/latest/application/application-load-balancers.html'],
};
