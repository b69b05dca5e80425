import type { Hop } from '@holdfast/policy';
import { PACKET } from './words.js';

export const conntrack: Hop = {
  kind: 'conntrack',
  title: 'Linux connection tracking',
  what: 'Every NAT of a Linux machine remembers connections for a time.',
  clocks: [
    {
      name: 'idle',
      title: 'nf_conntrack_tcp_timeout_established',
      kind: 'silent-l4',
      defaultMs: 432_000_000,
      resetBy: PACKET,
      clientSees: 'nothing, or RST at the next packet',
      raise: 'sysctl `net.netfilter.nf_conntrack_tcp_timeout_established`; kube-proxy sets 24 h',
      known: ['documentation', 'unverified'],
    },
  ],
  notes: ['Address translation of clouds uses far less.'],
  sources: ['https://docs.kernel.org/networking/nf_conntrack-sysctl.html'],
};
