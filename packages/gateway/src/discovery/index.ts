import type { Environment } from '@holdfast/policy';
import type { Clock } from '../clock.js';
import type { Finder, Lookout } from './discovery.js';
import { DnsLookout } from './dns.js';
import { FileLookout } from './file.js';
import { KubernetesLookout } from './kubernetes.js';

export { PODS_MAX, type Finder, type Lookout } from './discovery.js';
export { DnsLookout, type DnsOptions } from './dns.js';
export { FileLookout } from './file.js';
export { KubernetesLookout, type KubernetesOptions } from './kubernetes.js';

/** Looks for the pods where the policy says, until it is closed. Pods that are written in the policy are found before this returns. */
export function discover(
  { gateway, pods, service }: Pick<Environment, 'gateway' | 'pods' | 'service'>,
  finder: Finder,
  clock: Clock,
  random?: () => number,
): Lookout {
  const { discovery } = gateway;
  switch (discovery.from) {
    case 'static':
      finder.found(pods);
      return { close: () => {} };
    case 'dns':
      return new DnsLookout({ port: service.port.targetPort, ...discovery }, finder, clock, { random });
    case 'kubernetes':
      return new KubernetesLookout(discovery, finder, clock, { random });
    case 'file':
      return new FileLookout(discovery.path, finder, clock);
  }
}
