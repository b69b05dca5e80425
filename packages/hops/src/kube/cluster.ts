import { groupBy } from '../lint/memo.js';
import { routesOf } from '../lint/paths.js';
import { type Manifest, type Path } from './manifest.js';
import { type RouteRule, rulesOf } from './route-rules.js';
import { Selectors } from './selectors.js';
import { durationMs, listAt, recordAt, textAt, valueAt, wordOf } from './values.js';

/** Which program serves an Ingress, as far as the input tells. */
export type IngressController = 'ingress-nginx' | 'nginx.org' | 'other';

/** One path of an Ingress, and whether WebSockets can pass over it. */
export interface IngressPath {
  readonly host: string;
  readonly path: string;
  readonly service: string;
  /** Where it stands in the manifest. */
  readonly at: Path;
  readonly isWebSocket: boolean;
}

export interface Ingress {
  readonly manifest: Manifest;
  readonly controller: IngressController;
  readonly annotations: Readonly<Record<string, unknown>>;
  readonly paths: readonly IngressPath[];
  readonly hasWebSocket: boolean;
}

/** What is known from outside the files. */
export interface ClusterHints {
  /** WebSocket paths of a policy. */
  readonly paths: readonly string[];
  /** Services of a policy that WebSockets go to, by name. */
  readonly services: readonly string[];
  readonly looksLikeWebSocket: (path: string) => boolean;
}

export const ANNOTATIONS: Path = ['metadata', 'annotations'];
export const NGINX_PREFIX = 'nginx.ingress.kubernetes.io/';
const F5_PREFIX = 'nginx.org/';
const CONTROLLERS: ReadonlyMap<string, IngressController> = new Map([
  ['k8s.io/ingress-nginx', 'ingress-nginx'],
  ['nginx.org/ingress-controller', 'nginx.org'],
]);
/** An idle limit this long is set for WebSockets or server-sent events, hardly for anything else. */
const LONG_IDLE_MS = 300_000;
const WEBSOCKET_NAME = /(?:^|[-_.])(?:ws|wss|websockets?|sockets?|signalr|realtime)(?:[-_.]|$)/i;

const WORKLOADS = new Set(['Deployment', 'StatefulSet', 'DaemonSet', 'Rollout', 'ReplicaSet']);

/** All objects of the input together, and where WebSockets pass through them. */
export class Cluster {
  readonly manifests: readonly Manifest[];
  readonly ingresses: readonly Ingress[];
  /** Rules of HTTPRoutes, VirtualServices and IngressRoutes over which WebSockets pass. */
  readonly webSocketRules: readonly RouteRule[];
  readonly #hints: ClusterHints;
  /** Services that WebSockets reach. */
  readonly services: readonly Manifest[];
  /** Workloads behind those Services, and those that say by their name what they are. */
  readonly workloads: readonly Manifest[];
  /** Workloads of which nothing says so. */
  readonly otherWorkloads: readonly Manifest[];
  readonly #servicesByName: ReadonlyMap<string, Manifest>;
  readonly #reached: ReadonlySet<string>;
  readonly #byKind = new Map<string, Manifest[]>();

  constructor(manifests: readonly Manifest[], hints: ClusterHints) {
    this.manifests = manifests;
    this.#hints = hints;
    for (const manifest of manifests) {
      const same = this.#byKind.get(manifest.kind);
      if (same) same.push(manifest);
      else this.#byKind.set(manifest.kind, [manifest]);
    }
    const paths = new Map(this.ofKind('Ingress').map((manifest) => [manifest, [...pathsOf(manifest.object)]]));
    const taken = this.#taken([...paths.values()].flat());
    this.ingresses = Array.from(paths, ([manifest, own]) => this.#ingress(manifest, own, taken));
    const rules = groupBy(manifests.flatMap(rulesOf), ({ manifest }) => manifest.kind);
    this.webSocketRules = [...rules.values()].flatMap((own) => this.#webSocketRules(own));
    this.#servicesByName = new Map(this.ofKind('Service').map((one) => [`${one.namespace}/${one.name}`, one]));
    this.#reached = this.#findReached();
    this.services = this.ofKind('Service').filter(({ namespace, name }) => this.isReached(namespace, name));
    const workloads = manifests.filter(({ kind }) => WORKLOADS.has(kind));
    const carries = this.#findCarriers();
    this.workloads = workloads.filter(carries);
    this.otherWorkloads = workloads.filter((workload) => !carries(workload));
  }

  ofKind(kind: string): readonly Manifest[] {
    return this.#byKind.get(kind) ?? [];
  }

  /** The Service of this name, if it is there. */
  service(namespace: string, name: string): Manifest | undefined {
    return this.#servicesByName.get(`${namespace}/${name}`);
  }

  isReached(namespace: string, name: string): boolean {
    return (
      this.#reached.has(`${namespace}/${name}`) || this.#hints.services.includes(name) || WEBSOCKET_NAME.test(name)
    );
  }

  isWebSocketPath(path: string): boolean {
    const { paths, looksLikeWebSocket } = this.#hints;
    return paths.some((own) => path === own || path.startsWith(`${own}/`)) || looksLikeWebSocket(path);
  }

  /** Those for WebSockets: by their paths, the names around them, a header that they ask for, or the policy. */
  #webSocketRules(rules: readonly RouteRule[]): RouteRule[] {
    const { paths: wanted, services: known } = this.#hints;
    const taken = routesOf(wanted, rules, ({ paths }) => paths);
    return rules.filter((rule) => {
      const { manifest, paths, services, asksForUpgrade } = rule;
      return (
        asksForUpgrade ||
        paths.some((path) => this.isWebSocketPath(path)) ||
        [manifest, ...services].some(({ name }) => WEBSOCKET_NAME.test(name)) ||
        (taken.has(rule) && services.some(({ name }) => known.includes(name)))
      );
    });
  }

  /** Where the paths of the policy go: of each host the longest prefix, if it leads to a service of the policy. */
  #taken(paths: readonly WrittenPath[]): ReadonlySet<WrittenPath> {
    const { paths: wanted, services } = this.#hints;
    const byHost = groupBy(paths, ({ host }) => host);
    const all = Array.from(byHost.values(), (own) => [...routesOf(wanted, own, ({ path }) => [path])]).flat();
    return new Set(all.filter(({ service }) => services.includes(service)));
  }

  #ingress(manifest: Manifest, written: readonly WrittenPath[], taken: ReadonlySet<WrittenPath>): Ingress {
    const annotations = recordAt(manifest.object, ANNOTATIONS);
    const controller = this.#controllerOf(manifest, annotations);
    const isAll = isForWebSockets(manifest.name, annotations);
    const paths = written.map((one) => ({
      ...one,
      isWebSocket:
        isAll ||
        taken.has(one) ||
        this.isWebSocketPath(one.path) ||
        WEBSOCKET_NAME.test(one.host.split('.', 1)[0] ?? ''),
    }));
    return { manifest, controller, annotations, paths, hasWebSocket: paths.some(({ isWebSocket }) => isWebSocket) };
  }

  /** The class decides where it is there; the name `nginx` is shared by two programs, so then the annotations tell. */
  #controllerOf({ object }: Manifest, annotations: Readonly<Record<string, unknown>>): IngressController {
    const name = textAt(object, ['spec', 'ingressClassName']) ?? annotations['kubernetes.io/ingress.class'];
    const known = this.ofKind('IngressClass').find((other) => other.name === name);
    const controller = textAt(known?.object, ['spec', 'controller']);
    if (controller !== undefined) return CONTROLLERS.get(controller) ?? 'other';
    if (name !== undefined && !/nginx/i.test(wordOf(name))) return 'other';
    const keys = Object.keys(annotations);
    const isF5 = keys.some((key) => key.startsWith(F5_PREFIX)) && !keys.some((key) => key.startsWith(NGINX_PREFIX));
    if (isF5) return 'nginx.org';
    return name !== undefined || keys.some((key) => key.startsWith(NGINX_PREFIX)) ? 'ingress-nginx' : 'other';
  }

  /** Tells whether WebSockets reach a workload. */
  #findCarriers(): (workload: Manifest) => boolean {
    const selectorOf = ({ object }: Manifest): Readonly<Record<string, unknown>> =>
      recordAt(object, ['spec', 'selector']);
    const selecting = this.services.filter((service) => Object.keys(selectorOf(service)).length > 0);
    const selectors = new Selectors(selecting, selectorOf);
    return ({ name, namespace, object }) =>
      this.#hints.services.includes(name) ||
      WEBSOCKET_NAME.test(name) ||
      selectors.find(namespace, recordAt(object, ['spec', 'template', 'metadata', 'labels'])) !== undefined;
  }

  #findReached(): ReadonlySet<string> {
    const found = new Set<string>();
    for (const { manifest, paths } of this.ingresses) {
      for (const { isWebSocket, service } of paths) if (isWebSocket) found.add(`${manifest.namespace}/${service}`);
    }
    for (const { services } of this.webSocketRules) {
      for (const { namespace, name } of services) found.add(`${namespace}/${name}`);
    }
    for (const service of this.ofKind('Service')) {
      const protocols = listAt(service.object, ['spec', 'ports']).map((port) => textAt(port, ['appProtocol']) ?? '');
      if (protocols.some((protocol) => /(?:^|\/)wss?$/.test(protocol)))
        found.add(`${service.namespace}/${service.name}`);
    }
    return found;
  }
}

/** What an Ingress as a whole says of its paths: names, snippets, switches that people believe in, long idle limits. */
function isForWebSockets(name: string, annotations: Readonly<Record<string, unknown>>): boolean {
  if (WEBSOCKET_NAME.test(name)) return true;
  return Object.entries(annotations).some(([key, value]) => {
    if (/websocket|upgrade/i.test(key)) return true;
    if (/snippet/.test(key)) return /upgrade|websocket/i.test(String(value));
    return /proxy-(?:read|send)-timeout$/.test(key) && (durationMs(value) ?? 0) >= LONG_IDLE_MS;
  });
}

type WrittenPath = Omit<IngressPath, 'isWebSocket'>;

function* pathsOf(object: unknown): Generator<WrittenPath> {
  for (const [i, rule] of listAt(object, ['spec', 'rules']).entries()) {
    const host = textAt(rule, ['host']) ?? '';
    for (const [j, one] of listAt(rule, ['http', 'paths']).entries()) {
      const service = valueAt(one, ['backend', 'service', 'name']) ?? valueAt(one, ['backend', 'serviceName']);
      const at: Path = ['spec', 'rules', i, 'http', 'paths', j, 'path'];
      yield { host, path: textAt(one, ['path']) ?? '/', service: wordOf(service), at };
    }
  }
  const only = valueAt(object, ['spec', 'defaultBackend', 'service', 'name']);
  if (only !== undefined) yield { host: '', path: '/', service: wordOf(only), at: ['spec', 'defaultBackend'] };
}

/** The pod template of a workload. */
export const podSpecOf = (workload: Manifest): Readonly<Record<string, unknown>> =>
  recordAt(workload.object, ['spec', 'template', 'spec']);

export const isTruthy = (value: unknown): boolean => value === true || value === 'true';
