import type { Hop } from '@holdfast/policy';
import { CLIENT_SEND, CONNECT, READ, SEND, SHUTDOWN } from './nginx-clocks.js';
import { NOTHING } from './words.js';

export const ingressNginx: Hop = {
  kind: 'ingress-nginx',
  title: 'ingress-nginx (kubernetes/ingress-nginx)',
  what: 'The community ingress controller on nginx. It forwards Upgrade by itself. Retired: no releases and no security fixes since March 2026.',
  clocks: [
    {
      ...READ,
      title: 'proxy-read-timeout',
      raise: 'annotation `nginx.ingress.kubernetes.io/proxy-read-timeout: "3600"`, seconds without a unit',
      known: ['source', 'documentation'],
      setBy: 'read',
    },
    {
      ...SEND,
      title: 'proxy-send-timeout',
      raise: 'annotation `nginx.ingress.kubernetes.io/proxy-send-timeout`; it is no idle timeout',
      known: ['source', 'documentation'],
      setBy: 'send',
    },
    {
      ...CLIENT_SEND,
      raise: '`send_timeout`',
      known: ['source', 'documentation'],
    },
    {
      ...CONNECT,
      title: 'proxy-connect-timeout',
      defaultMs: 5_000,
      raise: 'annotation `nginx.ingress.kubernetes.io/proxy-connect-timeout`',
      setBy: 'connect',
    },
    {
      ...SHUTDOWN,
      title: 'worker-shutdown-timeout',
      defaultMs: 240_000,
      raise: 'ConfigMap `worker-shutdown-timeout`; below the grace period of the controller pod',
      known: ['source', 'documentation'],
    },
    {
      name: 'grace',
      title: 'terminationGracePeriodSeconds of the controller',
      kind: 'cohort',
      defaultMs: 300_000,
      resetBy: NOTHING,
      clientSees: '1006, when the controller is replaced and has not ended its workers by then',
      raise: '`controller.terminationGracePeriodSeconds` of the chart, whose default this is',
      outlasts: 'shutdown',
      known: ['source'],
    },
  ],
  notes: [
    'Every change of any Ingress or Secret may reload nginx; the connections of the old workers end 240 s later, all at once.',
    'Annotations take whole seconds: `"3600s"` cannot be read, and falls back to the default without a word.',
    'Annotations hold for the paths of their own Ingress. Timeouts on one Ingress do nothing for a path on another.',
    "It dials pods, so a Service's ClientIP affinity is never asked.",
    'Its lines already set Upgrade and Connection; a snippet that adds them sends two, and `ws` answers 400.',
  ],
  sources: [
    'https://github.com/kubernetes/ingress-nginx at dbb11b92',
    'https://kubernetes.github.io/ingress-nginx/user-guide/nginx-configuration/annotations/',
    'kubernetes/ingress-nginx issues 2461, 7115, 8977, 9516, 11515',
  ],
};
