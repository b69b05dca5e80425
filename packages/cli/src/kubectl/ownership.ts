import { FIELD_MANAGER, type KubeObject, type ManagedFields } from './kubectl.js';

type Metadata = KubeObject['metadata'];

interface Claim {
  /** Who says so. */
  readonly by: (metadata: Metadata) => string | undefined;
  /** How a person calls them. */
  readonly what: string;
}

const ARGO_ID = 'argocd.argoproj.io/tracking-id';

/** Marks that others put on what they own: from the next sync on, what we changed would be theirs again. */
const OWNERS: readonly Claim[] = [
  { by: ({ annotations }) => annotations?.['meta.helm.sh/release-name'], what: 'the Helm release' },
  { by: ({ labels }) => labels?.['helm.sh/chart'], what: 'the Helm chart' },
  { by: ({ labels }) => labels?.['app.kubernetes.io/managed-by'], what: 'the manager' },
  {
    by: ({ labels, annotations }) => annotations?.[ARGO_ID] ?? labels?.['argocd.argoproj.io/instance'],
    what: 'Argo CD’s',
  },
  { by: ({ labels }) => labels?.['kustomize.toolkit.fluxcd.io/name'], what: 'the Flux kustomization' },
  { by: ({ labels }) => labels?.['helm.toolkit.fluxcd.io/name'], what: 'the Flux Helm release' },
];

/** Controllers write the status of objects that others own, and we write our own fields. */
const isWriter = ({ manager, subresource }: ManagedFields): boolean =>
  subresource === undefined && manager !== FIELD_MANAGER;

/** What controllers leave on an object that they serve: their hold on its deletion, and notes about the load balancer that they made. */
const SERVING = /^f:(?:finalizers$|cloud\.google\.com\/|networking\.gke\.io\/)/;

/** Whether a manager has written nothing but that. Without a list of fields it may have written anything. */
function isServing({ fieldsV1 }: ManagedFields): boolean {
  const { 'f:metadata': metadata, ...rest } = fieldsV1 ?? {};
  const { 'f:annotations': annotations = {}, ...others } = metadata ?? {};
  const keys = [...Object.keys(rest), ...Object.keys(others), ...Object.keys(annotations)].filter((key) => key !== '.');
  return keys.length > 0 && keys.every((key) => SERVING.test(key));
}

/** `kubectl edit`, `annotate` and their like: a person. */
const isByHand = ({ manager }: ManagedFields): boolean => /^kubectl(?:-|$)/.test(manager);

/** On an object without our labels any writer is its owner; on ours, one that is neither a hand nor serves it. */
const writer = (isOurs: boolean): Claim => ({
  by: ({ managedFields = [] }) =>
    managedFields.find((fields) => isWriter(fields) && !(isOurs && (isByHand(fields) || isServing(fields))))?.manager,
  what: 'the field manager',
});

/**
 * Who manages an object that is not ours to touch; undefined when it is ours. Ours is what carries our labels, all of them, no mark
 * of another owner, and no fields of another program. Fields that people have set on it by hand are no reason: the API server tells
 * of those as conflicts.
 */
export function foreignManager({ metadata }: KubeObject, own: Readonly<Record<string, string>>): string | undefined {
  const isOurs = Object.entries(own).every(([label, value]) => metadata.labels?.[label] === value);
  for (const { by, what } of [...OWNERS, writer(isOurs)]) {
    const name = by(metadata);
    if (name !== undefined) return `${what} ${name}`;
  }
  return isOurs ? undefined : 'somebody else, as it has no label of ours';
}
