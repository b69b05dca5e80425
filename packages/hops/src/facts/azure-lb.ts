import type { Hop } from '@holdfast/policy';
import { PACKET } from './words.js';

export const azureLb: Hop = {
  kind: 'azure-lb',
  title: 'Azure Load Balancer',
  what: 'The load balancer in front of AKS. It forgets a silent flow and, unless told otherwise, tells nobody.',
  clocks: [
    {
      name: 'idle',
      title: 'idle timeout',
      kind: 'silent-l4',
      defaultMs: 240_000,
      resetBy: PACKET,
      clientSees: 'nothing; with TCP reset on, RST to both ends',
      raise: 'annotation `service.beta.kubernetes.io/azure-load-balancer-tcp-idle-timeout`, in minutes',
      known: ['documentation'],
      maxMs: 6_000_000,
      minMs: 240_000,
      becomes: { kind: 'idle-either', option: 'tcpReset' },
    },
  ],
  notes: [],
  sources: ['https://learn.microsoft.com/azure/load-balancer/load-balancer-tcp-reset'],
};
