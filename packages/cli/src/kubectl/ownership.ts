import type { KubeObject } from './kubectl.js';

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
const writer: Claim = {
  by: ({ managedFields = [] }) =>
    managedFields.find(({ manager, subresource }) => subresource === undefined && manager !== 'holdfast')?.manager,
  what: 'the field manager',
};

/**
 * Who manages an object that is not ours to touch; undefined when it is ours. Ours is what carries our labels, all of them, and no
 * mark of another owner. Fields that others have set on it by hand are no reason: the API server tells of those as conflicts.
 */
export function foreignManager({ metadata }: KubeObject, own: Readonly<Record<string, string>>): string | undefined {
  const isOurs = Object.entries(own).every(([label, value]) => metadata.labels?.[label] === value);
  for (const { by, what } of isOurs ? OWNERS : [...OWNERS, writer]) {
    const name = by(metadata);
    if (name !== undefined) return `${what} ${name}`;
  }
  return isOurs ? undefined : 'somebody else, as it has no label of ours';
}
