import { type Manifest, type Path } from './manifest.js';
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
const CONTROLLERS: Readonly<Record<string, IngressController>> = {
  'k8s.io/ingress-nginx': 'ingress-nginx',
  'nginx.org/ingress-controller': 'nginx.org',
};
/** An idle limit this long is set for WebSockets or server-sent events, hardly for anything else. */
const LONG_IDLE_MS = 300_000;
const WEBSOCKET_NAME = /(?:^|[-_.])(?:ws|wss|websockets?|sockets?|signalr|realtime)(?:[-_.]|$)/i;

const WORKLOADS = new Set(['Deployment', 'StatefulSet', 'DaemonSet', 'Rollout', 'ReplicaSet']);

/** All objects of the input together, and where WebSockets pass through them. */
export class Cluster {
  readonly manifests: readonly Manifest[];
  readonly ingresses: readonly Ingress[];
  readonly #hints: ClusterHints;
  readonly #services: ReadonlySet<string>;
  readonly #byKind = new Map<string, Manifest[]>();

  constructor(manifests: readonly Manifest[], hints: ClusterHints) {
    this.manifests = manifests;
    this.#hints = hints;
    for (const manifest of manifests) {
      const same = this.#byKind.get(manifest.kind);
      if (same) same.push(manifest);
      else this.#byKind.set(manifest.kind, [manifest]);
    }
    this.ingresses = this.ofKind('Ingress').map((manifest) => this.#ingress(manifest));
    this.#services = this.#reached();
  }

  ofKind(kind: string): readonly Manifest[] {
    return this.#byKind.get(kind) ?? [];
  }

  /** Services that WebSockets reach. */
  get services(): readonly Manifest[] {
    return this.ofKind('Service').filter((service) => this.isReached(service.namespace, service.name));
  }

  isReached(namespace: string, name: string): boolean {
    return (
      this.#services.has(`${namespace}/${name}`) || this.#hints.services.includes(name) || WEBSOCKET_NAME.test(name)
    );
  }

  /** Workloads behind those Services, and those that say by their name what they are. */
  get workloads(): readonly Manifest[] {
    const all = this.manifests.filter(({ kind }) => WORKLOADS.has(kind));
    return all.filter((workload) => {
      if (this.#hints.services.includes(workload.name) || WEBSOCKET_NAME.test(workload.name)) return true;
      const labels = recordAt(workload.object, ['spec', 'template', 'metadata', 'labels']);
      const own = this.services.filter(({ namespace }) => namespace === workload.namespace);
      return own.some((service) => selects(recordAt(service.object, ['spec', 'selector']), labels));
    });
  }

  isWebSocketPath(path: string): boolean {
    const { paths, looksLikeWebSocket } = this.#hints;
    return paths.some((own) => path === own || path.startsWith(`${own}/`)) || looksLikeWebSocket(path);
  }

  /** Whether a rule of an HTTPRoute or VirtualService is for WebSockets, by its paths. */
  isWebSocketMatch(paths: readonly string[], names: readonly string[]): boolean {
    return paths.some((path) => this.isWebSocketPath(path)) || names.some((name) => WEBSOCKET_NAME.test(name));
  }

  #ingress(manifest: Manifest): Ingress {
    const annotations = recordAt(manifest.object, ANNOTATIONS);
    const controller = this.#controllerOf(manifest, annotations);
    const isAll = isForWebSockets(manifest.name, annotations);
    const paths = [...pathsOf(manifest.object)].map((one) => ({
      ...one,
      isWebSocket: isAll || this.isWebSocketPath(one.path) || WEBSOCKET_NAME.test(one.host.split('.', 1)[0] ?? ''),
    }));
    return { manifest, controller, annotations, paths, hasWebSocket: paths.some(({ isWebSocket }) => isWebSocket) };
  }

  /** The class decides where it is there; the name `nginx` is shared by two programs, so then the annotations tell. */
  #controllerOf({ object }: Manifest, annotations: Readonly<Record<string, unknown>>): IngressController {
    const name = textAt(object, ['spec', 'ingressClassName']) ?? annotations['kubernetes.io/ingress.class'];
    const known = this.ofKind('IngressClass').find((other) => other.name === name);
    const controller = textAt(known?.object, ['spec', 'controller']);
    if (controller !== undefined) return CONTROLLERS[controller] ?? 'other';
    if (name !== undefined && !/nginx/i.test(wordOf(name))) return 'other';
    const keys = Object.keys(annotations);
    const isF5 = keys.some((key) => key.startsWith(F5_PREFIX)) && !keys.some((key) => key.startsWith(NGINX_PREFIX));
    if (isF5) return 'nginx.org';
    return name !== undefined || keys.some((key) => key.startsWith(NGINX_PREFIX)) ? 'ingress-nginx' : 'other';
  }

  #reached(): ReadonlySet<string> {
    const found = new Set<string>();
    for (const { manifest, paths } of this.ingresses) {
      for (const { isWebSocket, service } of paths) if (isWebSocket) found.add(`${manifest.namespace}/${service}`);
    }
    for (const route of this.ofKind('HTTPRoute')) {
      for (const rule of listAt(route.object, ['spec', 'rules'])) {
        if (!this.isWebSocketMatch(matchPaths(rule), [route.name])) continue;
        for (const ref of listAt(rule, ['backendRefs'])) {
          found.add(`${textAt(ref, ['namespace']) ?? route.namespace}/${textAt(ref, ['name']) ?? ''}`);
        }
      }
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

function* pathsOf(object: unknown): Generator<Omit<IngressPath, 'isWebSocket'>> {
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

/** Paths that a rule of an HTTPRoute matches. */
export const matchPaths = (rule: unknown): string[] =>
  listAt(rule, ['matches']).flatMap((match) => textAt(match, ['path', 'value']) ?? []);

const selects = (selector: Readonly<Record<string, unknown>>, labels: Readonly<Record<string, unknown>>): boolean =>
  Object.keys(selector).length > 0 && Object.entries(selector).every(([key, value]) => labels[key] === value);

/** The pod template of a workload. */
export const podSpecOf = (workload: Manifest): Readonly<Record<string, unknown>> =>
  recordAt(workload.object, ['spec', 'template', 'spec']);

export const isTruthy = (value: unknown): boolean => value === true || value === 'true';
