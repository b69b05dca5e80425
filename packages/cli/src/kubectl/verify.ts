import { addedAnnotations, annotationTimeouts, compare, type Difference } from './expectations.js';
import { liveLocations, TIMEOUTS, type LiveLocation, type Timeouts } from './controller.js';
import { foreignManager } from './ownership.js';
import type { Kubectl, KubeObject, ObjectName } from './kubectl.js';
import { nameOf, shown, type Wanted } from './manifests.js';

/** One thing that was looked at, and whether it is as it should be. */
export interface Check {
  readonly what: string;
  readonly isRight: boolean;
  /** What was found, where it is not. */
  readonly found?: string;
}

export interface ControllerPlace {
  /** Labels of the controller's pods. */
  readonly selector: string;
  /** Default: all namespaces are looked through. */
  readonly namespace?: string;
  readonly container: string;
}

export const DEFAULT_CONTROLLER: ControllerPlace = {
  selector: 'app.kubernetes.io/name=ingress-nginx,app.kubernetes.io/component=controller',
  container: 'controller',
};

/** Compares the live objects, and what the controller made of them, with what was rendered. */
export async function verify(kubectl: Kubectl, wanted: Wanted, place: ControllerPlace): Promise<Check[]> {
  const checks: Check[] = [];
  for (const manifest of wanted.objects) {
    const what = shown(nameOf(manifest));
    const live = await kubectl.get(nameOf(manifest));
    if (!live) {
      checks.push({ what, isRight: false, found: 'it is not there' });
      continue;
    }
    const manager = foreignManager(live, wanted.labels);
    const { annotations } = (manifest.object as unknown as LiveIngress).metadata;
    const differences = [
      ...compare(manifest.object, live),
      ...addedAnnotations(annotations, live.metadata.annotations),
    ];
    checks.push(
      manager === undefined
        ? checkOf(what, differences)
        : { what, isRight: false, found: `it is managed by ${manager}` },
    );
  }
  if (wanted.targets.includes('ingress-nginx')) checks.push(...(await verifyController(kubectl, wanted, place)));
  return checks;
}

const SHOWN_DIFFERENCES = 5;

function checkOf(what: string, differences: readonly Difference[]): Check {
  if (differences.length === 0) return { what, isRight: true };
  const first = differences
    .slice(0, SHOWN_DIFFERENCES)
    .map(({ path, expected, actual }) => `${path} is ${actual}, not ${expected}`);
  const more = differences.length - first.length;
  return { what, isRight: false, found: [...first, ...(more > 0 ? [`and ${more} more`] : [])].join('; ') };
}

/** Whether the nginx.conf of each controller pod holds the values for exactly the WebSocket paths, and the others kept theirs. */
async function verifyController(kubectl: Kubectl, wanted: Wanted, place: ControllerPlace): Promise<Check[]> {
  const ingresses = await kubectl.list('ingress.networking.k8s.io', '');
  const pods = await controllerPods(kubectl, place);
  if (pods.length === 0) return [noController(place)];
  const defaults = await controllerDefaults(kubectl, pods);
  const ours = new Set(
    wanted.objects.filter(({ kind }) => kind === 'Ingress').map(({ namespace, name }) => `${namespace}/${name}`),
  );
  const checks: Check[] = [];
  for (const pod of pods) {
    const locations = liveLocations(await kubectl.read(pod, place.container, '/etc/nginx/nginx.conf'));
    const where = `nginx.conf of ${pod.metadata.name}`;
    checks.push(...expectedOf(wanted).map((expected) => judge(where, expected, locations)));
    checks.push(...others(where, locations, ours, hostsOf(wanted), ingresses, defaults));
  }
  return checks;
}

const controllerPods = async (kubectl: Kubectl, { selector, namespace }: ControllerPlace): Promise<KubeObject[]> =>
  (await kubectl.list('pod', selector, namespace)).filter(isRunning);
const noController = ({ selector }: ControllerPlace): Check => ({
  what: 'the controller',
  isRight: false,
  found: `no running pod has the labels ${selector}`,
});
const isRunning = (pod: KubeObject): boolean => (pod['status'] as { phase?: string } | undefined)?.phase === 'Running';

/** What the ConfigMap beside the controller says for everybody. */
async function controllerDefaults(kubectl: Kubectl, [pod]: readonly KubeObject[]): Promise<Timeouts> {
  const namespace = pod?.metadata.namespace ?? 'ingress-nginx';
  const maps = await kubectl.list('configmap', 'app.kubernetes.io/name=ingress-nginx', namespace);
  const data = Object.assign({}, ...maps.map((map) => (map as { data?: object }).data)) as Record<string, string>;
  return annotationTimeouts(data, '');
}

interface ExpectedLocation {
  readonly host: string;
  readonly path: string;
  readonly isExact: boolean;
  readonly ingress: string;
  readonly timeoutsMs: Timeouts;
}

/** The locations that the controller makes of our Ingresses: of a prefix two, for itself and for what is below. */
function expectedOf({ objects }: Wanted): ExpectedLocation[] {
  return objects
    .filter(({ kind }) => kind === 'Ingress')
    .flatMap(({ object, namespace, name }) => {
      const { metadata, spec } = object as unknown as LiveIngress;
      const timeoutsMs = annotationTimeouts(metadata.annotations ?? {});
      return (spec?.rules ?? []).flatMap(({ host = '_', http }) =>
        (http?.paths ?? []).flatMap(({ path = '/', pathType }) =>
          placesOf(path, pathType).map((one) => ({ host, ...one, ingress: `${namespace}/${name}`, timeoutsMs })),
        ),
      );
    });
}

function placesOf(path: string, pathType: string | undefined): { readonly path: string; readonly isExact: boolean }[] {
  if (pathType === 'Exact') return [{ path, isExact: true }];
  const bare = path.replace(/\/$/, '');
  if (bare === '') return [{ path: '/', isExact: false }];
  return [
    { path: `${bare}/`, isExact: false },
    { path: bare, isExact: true },
  ];
}

interface LiveIngress {
  readonly metadata: { readonly annotations?: Readonly<Record<string, string>> };
  readonly spec?: {
    readonly rules?: readonly {
      readonly host?: string;
      readonly http?: { readonly paths?: readonly { readonly path?: string; readonly pathType?: string }[] };
    }[];
  };
}

const hostsOf = (wanted: Wanted): Set<string> => new Set(expectedOf(wanted).map(({ host }) => host));

const written = (timeouts: Timeouts): string =>
  TIMEOUTS.map((name) => `${name} ${(timeouts[name] ?? NaN) / 1_000} s`).join(', ');
const equal = (a: Timeouts, b: Timeouts): boolean => TIMEOUTS.every((name) => a[name] === b[name]);
const placeOf = ({ host, path, isExact }: ExpectedLocation | LiveLocation): string =>
  `${host}${path}${isExact ? ' (exact)' : ''}`;

function judge(where: string, expected: ExpectedLocation, locations: readonly LiveLocation[]): Check {
  const what = `${where}: ${placeOf(expected)} has ${written(expected.timeoutsMs)}`;
  const live = locations.find((one) => placeOf(one) === placeOf(expected));
  if (!live) return { what, isRight: false, found: 'the controller has no such location yet' };
  if (live.ingress !== expected.ingress) return { what, isRight: false, found: `it belongs to ${live.ingress}` };
  const isRight = equal(live.timeoutsMs, expected.timeoutsMs);
  return isRight ? { what, isRight } : { what, isRight, found: written(live.timeoutsMs) };
}

/** Paths of our hosts that are in the Ingresses of others: they have what those say, and nothing of ours. */
function others(
  where: string,
  locations: readonly LiveLocation[],
  ours: ReadonlySet<string>,
  hosts: ReadonlySet<string>,
  ingresses: readonly KubeObject[],
  defaults: Timeouts,
): Check[] {
  return locations
    .filter(({ host, ingress }) => hosts.has(host) && !ours.has(ingress))
    .map((live) => {
      const owner = ingresses.find(
        ({ metadata }) => `${metadata.namespace ?? 'default'}/${metadata.name}` === live.ingress,
      );
      const timeoutsMs = annotationTimeouts(owner?.metadata.annotations ?? {}, undefined, defaults);
      const what = `${where}: ${placeOf(live)} of ${live.ingress} kept ${written(timeoutsMs)}`;
      const isRight = equal(live.timeoutsMs, timeoutsMs);
      return isRight ? { what, isRight } : { what, isRight, found: written(live.timeoutsMs) };
    });
}

/** Whether the controller has let go of the Ingresses of an environment that are not there any more. */
export async function verifyGone(
  kubectl: Kubectl,
  ingresses: readonly ObjectName[],
  place: ControllerPlace,
): Promise<Check[]> {
  const names = new Set<string>();
  for (const ingress of ingresses) {
    // Somebody else may have one of that name, and its locations are theirs.
    if (!(await kubectl.get(ingress))) names.add(`${ingress.namespace}/${ingress.name}`);
  }
  const pods = await controllerPods(kubectl, place);
  if (pods.length === 0) return [noController(place)];
  const checks: Check[] = [];
  for (const pod of pods) {
    const left = liveLocations(await kubectl.read(pod, place.container, '/etc/nginx/nginx.conf')).filter(
      ({ ingress }) => names.has(ingress),
    );
    const what = `nginx.conf of ${pod.metadata.name}: no location of what was deleted`;
    const found = left.map(placeOf).join(', ');
    checks.push(left.length === 0 ? { what, isRight: true } : { what, isRight: false, found });
  }
  return checks;
}
