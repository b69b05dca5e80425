import { own, walk } from '../../nginx/effective.js';
import type { Node } from '../../nginx/tree.js';
import { variables } from '../../nginx/values.js';
import { insertBefore } from '../edits.js';
import { memo } from '../memo.js';
import { regexMatches } from '../paths.js';
import type { Edit } from '../rule.js';
import type { NginxConfig } from './config.js';

/** The maps of a configuration, by the variable that they set. */
export const mapsOf = memo((config: NginxConfig): ReadonlyMap<string, Node> => {
  const nodes = [...walk(config.tree.main)].filter(({ directive }) => directive.name === 'map' && directive.block);
  return new Map(nodes.map((node) => [(node.directive.args[1] ?? '').replace(/^\$/, ''), node]));
});

const results = memo((_map: Node) => new Map<string, string | undefined>());

/** What a map gives for a value of its source; undefined if that cannot be told. */
export function mapped(map: Node, value: string): string | undefined {
  const known = results(map);
  if (!known.has(value)) known.set(value, evaluate(map, value));
  return known.get(value);
}

function evaluate(map: Node, value: string): string | undefined {
  if (own(map, 'include').length > 0) return undefined;
  const entries = map.children.filter(
    ({ directive }) => !['default', 'hostnames', 'volatile'].includes(directive.name),
  );
  const exact = entries.find(({ directive: { name } }) => name.replace(/^\\/, '').toLowerCase() === value);
  const regex = entries.find(({ directive: { name } }) => {
    const [, caseless, pattern] = /^~(\*?)([^]+)$/.exec(name) ?? [];
    return pattern !== undefined && regexMatches(pattern, caseless ? 'i' : '', value);
  });
  return (exact ?? regex ?? own(map, 'default')[0])?.directive.args[0] ?? '';
}

/** What a header says in the handshake of a WebSocket, where that can be told: through a map of `$http_upgrade`. */
export function inHandshake(config: NginxConfig, value: string): string | undefined {
  if (/^\$(?:\{http_upgrade\}|http_upgrade)$/.test(value)) return 'websocket';
  const [name, ...others] = variables(value);
  if (name === undefined) return value;
  const map = mapsOf(config).get(name);
  const isWhole = others.length === 0 && (value === `$${name}` || value === `\${${name}}`);
  if (map === undefined || !isWhole || map.directive.args[0] !== '$http_upgrade') return undefined;
  const result = mapped(map, 'websocket');
  return result === undefined || variables(result).length === 0 ? result : inHandshakeOnce(result);
}

const inHandshakeOnce = (value: string): string | undefined => (value === '$http_upgrade' ? 'websocket' : undefined);

export const isUpgrade = (value: string): boolean => /(?:^|[\s,])upgrade(?:$|[\s,])/i.test(value);

/** The variable that a map of `$http_upgrade` makes for Connection: `upgrade` for a WebSocket, something else for the rest. */
const connectionVariable = memo((config: NginxConfig): string | undefined => {
  for (const [name, map] of mapsOf(config)) {
    if (map.directive.args[0] !== '$http_upgrade') continue;
    const [yes, no] = [mapped(map, 'websocket'), mapped(map, '')];
    if (yes !== undefined && no !== undefined && isUpgrade(yes) && !isUpgrade(no)) return name;
  }
  return undefined;
});

/** What Connection should be, and what has to be added for it: nothing where there is a map; undefined where none can be added. */
export const connectionValue = memo((config: NginxConfig): { value: string; edits: readonly Edit[] } | undefined => {
  const known = connectionVariable(config);
  if (known !== undefined) return { value: `$${known}`, edits: [] };
  const name = 'connection_upgrade';
  const { isMain, tree, variables: taken } = config;
  const map = isMain && tree.isComplete && !taken.has(name) ? addMap(config, name) : undefined;
  return map && { value: `$${name}`, edits: [map] };
});

/** The map that Connection needs, as the first thing in `http`, if that is in the root. */
export function addMap({ tree: { main } }: NginxConfig, name: string): Edit | undefined {
  const [first] = own(main, 'http')[0]?.children ?? [];
  if (first === undefined || first.directive.source !== main.directive.source) return undefined;
  return insertBefore(first.directive, [
    `map $http_upgrade $${name} {`,
    '    default upgrade;',
    "    ''      '';",
    '}',
  ]);
}
