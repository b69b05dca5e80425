import type { Hop } from '@holdfast/policy';

export const awsClb: Hop = {
  kind: 'aws-clb',
  title: 'AWS Classic Load Balancer',
  what: 'A CLB carries WebSockets on TCP and SSL listeners alone.',
  clocks: [
    {
      name: 'idle',
      title: 'ConnectionSettings.IdleTimeout',
      kind: 'idle-either',
      defaultMs: 60_000,
      resetBy: 'any byte of payload; TCP keepalive does not',
      clientSees: '1006: FIN to both ends',
      raise: 'attribute `ConnectionSettings.IdleTimeout`',
      known: ['documentation'],
      maxMs: 4_000_000,
      minMs: 1_000,
    },
  ],
  notes: [],
  sources: ['https://docs.aws.amazon.com/elasticloadbalancing/latest/classic/config-idle-timeout.html'],
};
