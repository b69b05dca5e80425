import { enclosing, nginxTree, own, Source, timeMs, walk, type Node } from '@holdfast/hops';

/** What the controller made of one path of an Ingress. */
export interface LiveLocation {
  readonly host: string;
  readonly path: string;
  readonly isExact: boolean;
  /** `namespace/name` of the Ingress that it is of. */
  readonly ingress: string;
  readonly timeoutsMs: Timeouts;
}

export type Timeouts = Readonly<Record<TimeoutName, number | undefined>>;
export const TIMEOUTS = ['connect', 'send', 'read'] as const;
export type TimeoutName = (typeof TIMEOUTS)[number];

/** What the controller uses where neither an annotation nor its ConfigMap says otherwise. */
export const CONTROLLER_DEFAULTS_MS: Timeouts = { connect: 5_000, send: 60_000, read: 60_000 };

/** The locations in the nginx.conf of an ingress-nginx controller that stand for paths of Ingresses. */
export function liveLocations(conf: string): LiveLocation[] {
  const found: LiveLocation[] = [];
  for (const node of walk(nginxTree(new Source('nginx.conf', conf)).main)) {
    if (node.directive.name !== 'location') continue;
    const { args } = node.directive;
    const name = variable(node, 'ingress_name');
    const server = enclosing(node, 'server');
    if (name === undefined || name === '' || !server) continue;
    const ingress = `${variable(node, 'namespace') ?? ''}/${name}`;
    const timeoutsMs: Timeouts = {
      connect: timeout(node, 'connect'),
      send: timeout(node, 'send'),
      read: timeout(node, 'read'),
    };
    for (const host of own(server, 'server_name').flatMap(({ directive }) => directive.args)) {
      found.push({ host, path: args.at(-1) ?? '', isExact: args[0] === '=', ingress, timeoutsMs });
    }
  }
  return found;
}

const variable = (node: Node, name: string): string | undefined =>
  own(node, 'set').find(({ directive }) => directive.args[0] === `$${name}`)?.directive.args[1];

const timeout = (node: Node, name: TimeoutName): number | undefined =>
  timeMs(own(node, `proxy_${name}_timeout`).at(-1)?.directive.args[0]);
