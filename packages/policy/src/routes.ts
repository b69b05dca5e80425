import { isBranch, isLeaf, isList, valueIn, type Branch, type Leaf } from './document.js';
import { HOLD, ROUTE_TIMES } from './keys.js';
import type { Carry, Route, Service, Stickiness } from './policy.js';
import type { Reading } from './reading.js';
import { portNamed } from './service.js';
import { stickinessOf } from './stickiness.js';
import { nearest } from './words.js';

export interface RouteContext {
  readonly hosts: readonly string[];
  readonly service: Service;
  readonly stickiness: Stickiness;
}

export function routesOf(reading: Reading, context: RouteContext): Route[] {
  const routes: Route[] = [];
  const seen = new Map<string, Leaf>();
  for (const item of reading.items('routes').filter(isBranch)) {
    for (const kind of kindsOf(reading, item)) {
      for (const path of pathsOf(item, kind)) {
        const route = routeOf(
          reading,
          item,
          { kind, path: String(path.value), field: `routes.${routes.length}` },
          context,
        );
        const id = `${route.match} ${route.path}`;
        // Two routes of the same path are two only if no host has both.
        const twin = routes.find(
          (one) => `${one.match} ${one.path}` === id && one.hosts.some((host) => route.hosts.includes(host)),
        );
        if (twin)
          reading.problem(path.at, 'routes', `${route.path} is there already, at line ${seen.get(id)?.at.line ?? 0}`);
        seen.set(id, path);
        routes.push(route);
      }
    }
  }
  if (routes.length === 0)
    reading.problem(undefined, 'routes', 'routes is missing', { expected: 'a list, such as [{websocket: /ws}]' });
  return routes;
}

function kindsOf(reading: Reading, item: Branch): Route['kind'][] {
  const kinds = (['websocket', 'rest'] as const).filter((kind) => item.entries.has(kind));
  if (kinds.length === 0)
    reading.problem(item.at, 'routes', 'a route has no path', { expected: '`websocket` or `rest`, and the path' });
  if (kinds.length === 2) reading.problem(item.at, 'routes', 'a route is websocket or rest, and not both');
  return kinds;
}

function pathsOf(item: Branch, kind: Route['kind']): Leaf[] {
  const node = item.entries.get(kind)?.node;
  return (isList(node) ? [...node.items] : [node]).filter(isLeaf);
}

function routeOf(
  reading: Reading,
  item: Branch,
  { kind, path, field }: { readonly kind: Route['kind']; readonly path: string; readonly field: string },
  { hosts, service, stickiness }: RouteContext,
): Route {
  const node = (key: string) => item.entries.get(key)?.node;
  const listed = node('hosts');
  const own = (isList(listed) ? [...listed.items] : []).filter(isLeaf);
  for (const { value, at } of own) {
    if (hosts.includes(String(value))) continue;
    reading.problem(at, 'routes', `${String(value)} is not one of the hosts`, {
      nearest: nearest(String(value), hosts),
    });
  }
  const port = node('port');
  const connections = valueIn(item, 'connections');
  return {
    kind,
    path,
    match: valueIn(item, 'match') === 'exact' ? 'exact' : 'prefix',
    hosts: own.length > 0 ? own.map(({ value }) => String(value)) : hosts,
    port: (isLeaf(port) ? portNamed(reading, service.ports, port.value, port.at) : undefined) ?? service.port,
    ...reading.section(field, item, ROUTE_TIMES[kind]),
    ...(typeof connections === 'number' && { connections }),
    carry: (valueIn(item, 'carry') as Carry | undefined) ?? 'auto',
    hold: holdOf(reading, item, field),
    stickiness: node('stickiness') ? stickinessOf(reading, node('stickiness'), `${field}.stickiness`) : stickiness,
  };
}

function holdOf(reading: Reading, item: Branch, field: string): Route['hold'] {
  const hold = reading.section(`${field}.hold`, item.entries.get('hold')?.node, HOLD);
  if (hold.replayMatch !== undefined && !isRegularExpression(hold.replayMatch)) {
    reading.problem(item.at, 'routes', `replayMatch is not a regular expression: ${hold.replayMatch}`);
  }
  if (!/^\d{4}(?:[\s,]+\d{4})*$/.test(hold.heldCodes)) {
    reading.problem(item.at, 'routes', `codes are not close codes such as 1001 1012: ${hold.heldCodes}`);
  }
  return hold;
}

function isRegularExpression(text: string): boolean {
  try {
    return new RegExp(text, 'u') instanceof RegExp;
  } catch {
    return false;
  }
}
