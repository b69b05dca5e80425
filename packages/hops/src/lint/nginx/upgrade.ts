import { effectiveOne, own } from '../../nginx/effective.js';
import type { Node } from '../../nginx/tree.js';
import { webSocketPaths } from '../context.js';
import { insertBehind } from '../edits.js';
import { looksPlain } from '../paths.js';
import type { Problem, Rule } from '../rule.js';
import {
  graveIfMissing,
  header,
  headerValue,
  headersAt,
  type NginxConfig,
  placeOf,
  type ProxyLocation,
  shadowed,
} from './config.js';
import { connectionValue } from './maps.js';

export const noUpgradeHeader: Rule<NginxConfig> = {
  id: 'NGX001',
  name: 'no-upgrade-header',
  severity: 'error',
  title: 'A WebSocket location does not forward Upgrade',
  what: 'A location with `proxy_pass` whose path is one of the policy, or looks like one of WebSockets (`/ws`, `/socket.io`, `/cable`, `/hub`, SignalR), has no `proxy_set_header Upgrade` in effect. A location that lost it to a nearer level is NGX011. A warning where the location or its server includes a file that could not be read.',
  why: '`Upgrade` is a hop-by-hop header: nginx does not forward it by itself. The backend sees a plain request and answers 400, 426 or a page, and no connection is ever made.',
  fix: 'Add `proxy_http_version 1.1;`, `proxy_set_header Upgrade $http_upgrade;` and `proxy_set_header Connection $connection_upgrade;` to the location.',
  source: 'nginx documentation, WebSocket proxying.',
  *check(config) {
    for (const location of config.webSockets) {
      const { node, path, upgrade, pass } = location;
      if (upgrade.sent.length > 0 || upgrade.lost.length > 0 || setsInside(node).length > 0) continue;
      yield {
        at: placeOf(node),
        severity: graveIfMissing(config, node),
        message: `location ${path} passes WebSockets to ${pass.directive.args[0] ?? ''} without their Upgrade header`,
        edits: upgradeLines(config, location),
      };
    }
  },
};

/** What is missing, unless a new line would take away what is inherited, or it cannot be told what Connection must be. */
function upgradeLines(config: NginxConfig, { node, pass, connection, upgrade }: ProxyLocation): Problem['edits'] {
  const level = headersAt(node);
  const inherits = level.size === 0 && effectiveOne(node, 'proxy_set_header') !== undefined;
  const isLacking = connection.sent.length === 0;
  const added = isLacking ? connectionValue(config) : undefined;
  if (inherits || pass.parent !== node || upgrade.empty.length > 0) return undefined;
  if (isLacking && (added === undefined || connection.empty.length > 0)) return undefined;
  const lines = ['proxy_set_header Upgrade $http_upgrade;'];
  if (added) lines.push(`proxy_set_header Connection ${added.value};`);
  if (effectiveOne(node, 'proxy_http_version') === undefined) lines.unshift('proxy_http_version 1.1;');
  return [insertBehind(pass.directive, lines), ...(added?.edits ?? [])];
}

export const noConnectionHeader: Rule<NginxConfig> = {
  id: 'NGX002',
  name: 'no-connection-header',
  severity: 'error',
  title: 'Upgrade is forwarded, Connection is not',
  what: '`proxy_set_header Upgrade` is in effect and no `proxy_set_header Connection` is. A Connection that was lost to a nearer level is NGX011. A warning where the location or its server includes a file that could not be read.',
  why: 'nginx sends `Connection: close` of its own accord (none since 1.29.7). Without `Connection: upgrade` the backend takes the request for a plain one; Node does, as was measured.',
  fix: 'Add `proxy_set_header Connection $connection_upgrade;` beside it, with the map of NGX006.',
  source: 'Measured with nginx 1.22.1 and Node 20.',
  *check(config) {
    const mapped = connectionValue(config);
    for (const { node, upgrade, connection } of config.webSockets) {
      const [line] = upgrade.sent;
      if (line === undefined || connection.sent.length + connection.empty.length + connection.lost.length > 0) continue;
      yield {
        at: placeOf(line),
        severity: graveIfMissing(config, node),
        message: 'Upgrade is forwarded here, but no Connection header beside it',
        edits: mapped && [
          insertBehind(line.directive, [`proxy_set_header Connection ${mapped.value};`]),
          ...mapped.edits,
        ],
      };
    }
  },
};

const UPGRADE = ['upgrade', 'connection'];
/** What is worth telling that it got lost; without the last two the backend takes every client for nginx. */
const GRAVE = [...UPGRADE, 'host', 'x-forwarded-for'];

export const headerInheritance: Rule<NginxConfig> = {
  id: 'NGX011',
  name: 'header-inheritance',
  severity: 'error',
  title: 'One proxy_set_header drops all that were inherited',
  what: 'A level has a `proxy_set_header` of its own, and Upgrade or Connection (error), Host or X-Forwarded-For (warning) are set on an outer level only; whatever else was lost with them is told, too. Locations that are plain by their path, or that the policy does not name, are left alone.',
  why: 'nginx inherits `proxy_set_header` only into a level that has none. A single line, say for a request id, silently takes Upgrade and Connection away, and every handshake fails.',
  fix: 'Repeat the outer headers on this level, or include them from one file on both.',
  source: 'nginx documentation of proxy_set_header; measured: the backend saw `Connection: close` and no Upgrade.',
  *check(config, context) {
    const isPolicyExact = webSocketPaths(context).length > 0;
    for (const location of config.locations) {
      const { because, path, node } = location;
      if (because === undefined || (because === 'lost' && (isPolicyExact || looksPlain(path)))) continue;
      const first = effectiveOne(node, 'proxy_set_header')?.parent;
      if (first === undefined) continue;
      const outer = shadowed(node);
      const lost = lostIn(first, outer);
      const isLost = (names: readonly string[]): boolean => lost.some((line) => names.includes(header(line)));
      const at = own(first, 'proxy_set_header')[0];
      if (!isLost(GRAVE) || at === undefined || setsInside(node).length > 0) continue;
      const names = [...new Set(lost.map((line) => line.directive.args[0]))].join(', ');
      yield {
        at: placeOf(at),
        severity: isLost(UPGRADE) ? 'error' : 'warning',
        message: `this line drops what an outer level sets: ${names}`,
        edits: outer.size > LOST_MAX ? undefined : [insertBehind(at.directive, lost.map(textOf))],
      };
    }
  },
};

/** More than this are not told one by one, and not repaired. */
const LOST_MAX = 50;

/** Lines of an outer level whose headers a level does not set: those that matter first. */
function lostIn(level: Node, outer: ReadonlyMap<string, readonly Node[]>): Node[] {
  const here = headersAt(level);
  const lost: Node[] = [];
  for (const name of new Set([...GRAVE, ...firstKeys(outer, LOST_MAX)])) {
    if (!here.has(name))
      lost.push(...(outer.get(name) ?? []).slice(0, LOST_MAX).filter((line) => headerValue(line) !== ''));
  }
  return lost.sort((a, b) => a.directive.start - b.directive.start);
}

function firstKeys(map: ReadonlyMap<string, unknown>, most: number): string[] {
  const keys: string[] = [];
  for (const key of map.keys()) {
    if (keys.length >= most) break;
    keys.push(key);
  }
  return keys;
}

const textOf = ({ directive: { source, start, end } }: Node): string => source.text.slice(start, end);

/** `proxy_set_header Upgrade` or `Connection` in an `if` or `limit_except` of a block. */
function setsInside(node: Node): Node[] {
  return [...own(node, 'if'), ...own(node, 'limit_except')].flatMap((inside) =>
    own(inside, 'proxy_set_header').filter((line) => UPGRADE.includes(header(line))),
  );
}

export const ifInLocation: Rule<NginxConfig> = {
  id: 'NGX012',
  name: 'header-in-if',
  severity: 'error',
  title: 'Upgrade or Connection is set inside of if or limit_except',
  what: '`proxy_set_header` for Upgrade or Connection stands in an `if` or a `limit_except`. A `set` inside of `if` is in order.',
  why: '`proxy_set_header` is allowed in http, server and location only: nginx refuses the file, so a reload keeps the old configuration and a restart fails.',
  fix: 'Move the lines to the location and let a map choose the value: it sends nothing for plain requests.',
  source: 'nginx documentation of proxy_set_header, context; judged by nginx 1.22.1 in a test.',
  *check({ tree }) {
    for (const name of ['if', 'limit_except']) {
      for (const block of blocksNamed(tree.main, name)) {
        for (const line of own(block, 'proxy_set_header')) {
          if (!UPGRADE.includes(header(line))) continue;
          const what = line.directive.args[0] ?? '';
          yield {
            at: placeOf(line),
            message: `nginx allows no proxy_set_header ${what} in ${name} and refuses the file`,
          };
        }
      }
    }
  },
};

/** Blocks of one name, wherever they are. */
function blocksNamed(main: Node, name: string): Node[] {
  const found: Node[] = [];
  const waiting = [main];
  for (let node = waiting.pop(); node; node = waiting.pop()) {
    found.push(...own(node, name));
    for (const child of node.children) if (child.children.length > 0) waiting.push(child);
  }
  return found;
}
