import type { Hop } from '@holdfast/policy';

export const kubeProxy: Hop = {
  kind: 'kube-proxy',
  title: 'Kubernetes Service (kube-proxy)',
  what: '`sessionAffinity: ClientIP` sends new connections of an address to the same pod for a while.',
  clocks: [
    {
      name: 'clientIp',
      title: 'sessionAffinityConfig.clientIP.timeoutSeconds',
      kind: 'affinity',
      defaultMs: 10_800_000,
      resetBy: 'new connections of the same address; traffic does not',
      clientSees: 'nothing; the next connection may reach another pod',
      raise: '`sessionAffinityConfig.clientIP.timeoutSeconds`',
      known: ['source', 'documentation'],
      setBy: 'clientIp',
    },
  ],
  notes: [
    'It is asked for new connections alone, so it runs from the last of those.',
    'When a pod goes, its clients are spread at random.',
    'An ingress or gateway that dials pods never asks it; through `service-upstream` it sees the address of the ingress.',
  ],
  sources: ['https://kubernetes.io/docs/reference/networking/virtual-ips/', 'kubernetes source, pkg/proxy/iptables'],
};
