import type { Environment } from '@holdfast/policy';
import { own, walk } from '../../nginx/effective.js';
import type { Node } from '../../nginx/tree.js';
import type { LintContext } from '../context.js';
import { regexMatches } from '../paths.js';

/** The locations that the WebSocket paths of the policy lead to. */
export function policyLocations(main: Node, { environments }: LintContext): ReadonlySet<Node> {
  const found = new Set<Node>();
  if (environments.length === 0) return found;
  for (const server of serversOf(main)) {
    for (const environment of environments.filter((each) => serves(server, each))) {
      for (const { path } of environment.routes.filter((route) => route.kind === 'websocket')) {
        const location = route(server, path);
        if (location) found.add(location);
      }
    }
  }
  return found;
}

/** Blocks with locations: servers, or the file itself when it is a part of one. */
function* serversOf(main: Node): Generator<Node> {
  yield main;
  for (const node of walk(main)) if (node.directive.name === 'server' && node.directive.block) yield node;
}

function serves(server: Node, { hosts }: Environment): boolean {
  const names = own(server, 'server_name').flatMap(({ directive }) => directive.args);
  const isAny = names.every((name) => name === '_' || name === '' || /^[.*~]/.test(name));
  return isAny || hosts.length === 0 || names.some((name) => hosts.includes(name));
}

/** The location that nginx chooses for a path: exact, then the longest prefix unless a regular expression matches. */
function route(level: Node, path: string): Node | undefined {
  const locations = own(level, 'location').filter(({ directive }) => directive.block);
  let prefix: Node | undefined;
  for (const node of locations) {
    const [first, second] = node.directive.args;
    const [modifier, text] = second === undefined ? ['', first] : [first, second];
    if (text === undefined || text.startsWith('@') || modifier === '~' || modifier === '~*') continue;
    if (modifier === '=' && text === path) return node;
    if (modifier === '=' || !path.startsWith(text)) continue;
    if (prefix === undefined || lengthOf(prefix) < text.length) prefix = node;
  }
  const nested = prefix && route(prefix, path);
  if (nested) return nested;
  if (prefix?.directive.args[0] === '^~') return prefix;
  const regex = locations.find(({ directive: { args } }) => {
    const [modifier, pattern = ''] = args;
    return (modifier === '~' || modifier === '~*') && regexMatches(pattern, modifier === '~*' ? 'i' : '', path);
  });
  return regex ?? prefix;
}

const lengthOf = (node: Node): number => node.directive.args.at(-1)?.length ?? 0;
