import type { Environment, Policy } from '@holdfast/policy';
import { ownLabels, readManifests, render, Source, type Manifest, type TargetName } from '@holdfast/hops';
import { errors, HoldfastError } from '@holdfast/store';
import type { ObjectName } from './kubectl.js';

/** The targets whose files are objects of a cluster. */
export const CLUSTER_TARGETS: readonly TargetName[] = ['ingress-nginx', 'kubernetes', 'gateway-api', 'istio', 'aws'];

/** What an environment should be in a cluster. */
export interface Wanted {
  readonly objects: readonly Manifest[];
  /** The same as text, for kubectl. */
  readonly text: string;
  /** By these it is found again; those of one target need its own label on top. */
  readonly labels: Readonly<Record<string, string>>;
  readonly targets: readonly TargetName[];
}

export function wantedOf(policy: Policy, environment: Environment, targets: readonly TargetName[]): Wanted {
  const stranger = targets.find((target) => !CLUSTER_TARGETS.includes(target));
  if (stranger !== undefined) {
    const what = `--target ${stranger} is no object of a cluster; these are: ${CLUSTER_TARGETS.join(', ')}`;
    throw new HoldfastError(errors.OPTION, what);
  }
  const files = render(policy, environment, targets).flatMap((rendering) => rendering.files);
  const objects = files.flatMap(({ path, text }) => readManifests(new Source(path, text)).manifests);
  // Annotations for the chart of somebody else are advice, not an object.
  const own = objects.filter(({ kind, name }) => kind !== '' && name !== '');
  const { 'holdfast/target': _, ...labels } = ownLabels(environment, '');
  return { objects: own, text: files.map(({ text }) => text).join('---\n'), labels, targets };
}

/** As kubectl names a kind without doubt: `ingress.networking.k8s.io`. */
export function resourceOf({ kind, apiVersion }: Pick<Manifest, 'kind' | 'apiVersion'>): string {
  const [group, version] = apiVersion.split('/');
  return version === undefined ? kind.toLowerCase() : `${kind.toLowerCase()}.${group}`;
}

export const nameOf = (manifest: Manifest): ObjectName => ({
  kind: resourceOf(manifest),
  name: manifest.name,
  namespace: manifest.namespace,
});

export const shown = ({ kind, name, namespace }: ObjectName): string => `${kind}/${name} in ${namespace}`;
