import { effective, own, walk } from '../../nginx/effective.js';
import type { Node, NginxTree } from '../../nginx/tree.js';
import { variables } from '../../nginx/values.js';
import type { LintContext } from '../context.js';
import { groupBy, memo } from '../memo.js';
import { looksLikeWebSocket } from '../paths.js';
import type { Place } from '../rule.js';
import { policyLocations } from './routing.js';

/** What the rules of nginx ask about one configuration, found once. */
export interface NginxConfig {
  readonly tree: NginxTree;
  /** Whether the whole is here, `http` and all, or only a part that some other file includes. */
  readonly isMain: boolean;
  /** Locations that pass requests on by HTTP. */
  readonly locations: readonly ProxyLocation[];
  /** Those of them where WebSockets can pass. */
  readonly webSockets: readonly ProxyLocation[];
  readonly upstreams: readonly Upstream[];
  /** Names of the variables that are set or mapped anywhere. */
  readonly variables: ReadonlySet<string>;
}

export interface ProxyLocation {
  readonly node: Node;
  /** `=`, `~`, `~*`, `^~`, or nothing. */
  readonly modifier: string;
  readonly path: string;
  /** Its `proxy_pass`, or that of an `if` in it. */
  readonly pass: Node;
  readonly upgrade: Headers;
  readonly connection: Headers;
  /** Why WebSockets can pass here: a path of the policy, headers that are forwarded (or were, a level above), or its name. */
  readonly because: 'policy' | 'headers' | 'lost' | 'name' | undefined;
}

/** The `proxy_set_header` lines of one name. */
export interface Headers {
  /** Those in effect that send something; nginx drops empty ones when it reads the configuration. */
  readonly sent: readonly Node[];
  readonly empty: readonly Node[];
  /** Those of an outer level that a nearer one has replaced. */
  readonly lost: readonly Node[];
}

export interface Upstream {
  readonly node: Node;
  readonly name: string;
  /** Locations with WebSockets that lead here. */
  readonly webSockets: readonly ProxyLocation[];
}

export const placeOf = ({ directive }: Node): Place => ({ source: directive.source, offset: directive.start });

export const header = (node: Node): string => (node.directive.args[0] ?? '').toLowerCase();
export const headerValue = (node: Node): string => node.directive.args[1] ?? '';

export function headersOf(node: Node, name: string): Headers {
  const inEffect = headersAt(effective(node, 'proxy_set_header')[0]?.parent).get(name) ?? [];
  return {
    sent: inEffect.filter((each) => headerValue(each) !== ''),
    empty: inEffect.filter((each) => headerValue(each) === ''),
    lost: (shadowed(node).get(name) ?? []).filter((each) => headerValue(each) !== ''),
  };
}

/** The `proxy_set_header` lines of outer levels that are not in effect in a block, because a nearer level has its own. */
export function shadowed(node: Node): ReadonlyMap<string, readonly Node[]> {
  const outside = effective(node, 'proxy_set_header')[0]?.parent?.parent;
  return headersAt(outside && effective(outside, 'proxy_set_header')[0]?.parent);
}

const headerIndex = memo((level: Node) => groupBy(own(level, 'proxy_set_header'), header));

/** The `proxy_set_header` lines of one level, by the name of the header in small letters. */
export function headersAt(level: Node | undefined): ReadonlyMap<string, readonly Node[]> {
  return level === undefined ? new Map() : headerIndex(level);
}

/**
 * How grave it is that something is missing in a location: it may be in a file that it includes, or its server, and that was not
 * at hand.
 */
export function graveIfMissing({ tree: { unread } }: NginxConfig, node: Node): 'error' | 'warning' {
  let level: Node | undefined = node;
  while (unread.size > 0 && level && level.directive.name !== 'http' && level.parent) {
    if (own(level, 'include').some(({ directive }) => unread.has(directive))) return 'warning';
    level = level.parent;
  }
  return 'error';
}

export function configOf(tree: NginxTree, context: LintContext): NginxConfig {
  const nodes = [...walk(tree.main)];
  const fromPolicy = policyLocations(tree.main, context);
  const locations = nodes.flatMap((node) => locationOf(node, fromPolicy.has(node)) ?? []);
  const webSockets = locations.filter(({ because }) => because !== undefined);
  const byTarget = new Map<string, ProxyLocation[]>();
  for (const location of webSockets) {
    for (const name of new Set(targetsOf(location))) {
      const known = byTarget.get(name);
      if (known) known.push(location);
      else byTarget.set(name, [location]);
    }
  }
  const upstreams = nodes.filter((node) => node.directive.name === 'upstream' && node.directive.block);
  return {
    tree,
    isMain: own(tree.main, 'http').length > 0 || own(tree.main, 'events').length > 0,
    locations,
    webSockets,
    upstreams: upstreams.map((node) => {
      const name = node.directive.args[0] ?? '';
      return { node, name, webSockets: byTarget.get(name) ?? [] };
    }),
    variables: new Set(nodes.flatMap(({ directive }) => definedBy(directive.name, directive.args))),
  };
}

function locationOf(node: Node, isOfPolicy: boolean): ProxyLocation | undefined {
  const { name, args, block } = node.directive;
  if (name !== 'location' || block === undefined) return undefined;
  const pass = [node, ...own(node, 'if'), ...own(node, 'limit_except')]
    .flatMap((level) => own(level, 'proxy_pass'))
    .find(({ directive }) => /^https?:/i.test(directive.args[0] ?? ''));
  if (pass === undefined) return undefined;
  const path = args.at(-1) ?? '';
  const upgrade = headersOf(node, 'upgrade');
  return {
    node,
    modifier: args.length > 1 ? (args[0] ?? '') : '',
    path,
    pass,
    upgrade,
    connection: headersOf(node, 'connection'),
    because: isOfPolicy
      ? 'policy'
      : upgrade.sent.length > 0
        ? 'headers'
        : looksLikeWebSocket(path)
          ? 'name'
          : upgrade.lost.length > 0
            ? 'lost'
            : undefined,
  };
}

/** Names of upstreams, or hosts, that a location passes to; through `set` where it names a variable. */
export function targetsOf({ node, pass }: ProxyLocation): string[] {
  const host = /^https?:\/\/([^/\s]+)/i.exec(pass.directive.args[0] ?? '')?.[1] ?? '';
  const names = variables(host);
  if (names.length === 0) return [host.replace(/:\d+$/, '')];
  const levels = [node, node.parent].flatMap((level) => (level && effective(level, 'set')[0]?.parent) ?? []);
  return [...new Set(levels)]
    .flatMap((level) => names.flatMap((name) => setsOf(level).get(name)?.slice(-1) ?? []))
    .map(({ directive }) => (directive.args[1] ?? '').replace(/^https?:\/\//, '').replace(/[:/].*$/, ''));
}

const setsOf = memo((level: Node) =>
  groupBy(own(level, 'set'), ({ directive }) => (directive.args[0] ?? '').replace('$', '')),
);

/** Which argument of a directive is a variable that it defines. */
const DEFINES: Readonly<Record<string, readonly number[]>> = {
  set: [0],
  map: [1],
  geo: [0, 1],
  split_clients: [1],
  auth_request_set: [0],
  perl_set: [0],
  js_set: [0],
  js_var: [0],
  set_by_lua: [0],
  set_by_lua_block: [0],
  set_by_lua_file: [0],
  geoip2: [0],
  subs_filter: [],
};

function definedBy(name: string, args: readonly string[]): string[] {
  const named = (DEFINES[name] ?? []).map((index) => args[index] ?? '').filter((text) => text.startsWith('$'));
  // `geoip2` and the like define a variable at the head of each line of their block; groups of regular expressions have names, too.
  const lines = name.startsWith('$') ? [name] : [];
  const groups = args.flatMap((text) => Array.from(text.matchAll(/\(\?P?<(\w+)>/g), (match) => `$${match[1] ?? ''}`));
  return [...named, ...lines, ...groups].map((text) => text.slice(1));
}
