import type { Node } from '../../nginx/tree.js';
import { variables } from '../../nginx/values.js';
import { replace } from '../edits.js';
import type { Problem, Rule } from '../rule.js';
import { headerValue, type NginxConfig, placeOf } from './config.js';
import { addMap, connectionValue, inHandshake, isUpgrade, mapsOf } from './maps.js';

/** Variables of nginx itself, as far as anyone would put them into Upgrade or Connection. */
const BUILT_IN =
  /^(?:(?:sent_|upstream_)?http_|arg_|cookie_|upstream_|ssl_|request|connection(?:_requests|_time)?$|server_|proxy_|host$|hostname$|scheme$|args$|uri$|is_args$|query_string$|remote_|binary_remote_|realip_|status$|http2$|http3$|msec$|time_|pid$|\d$)/;

/** Upgrade that names a variable of Connection is NGX007, mapped or not. */
const namesConnection = (value: string): boolean => /connection/i.test(variables(value)[0] ?? '');

export const mapMissing: Rule<NginxConfig> = {
  id: 'NGX006',
  name: 'map-missing',
  severity: 'error',
  title: 'A variable that nothing sets is in Upgrade or Connection',
  what: 'A value of Upgrade or Connection names a variable, such as `$connection_upgrade`, that is not of nginx and that no `map`, `set`, `geo` or the like in the whole tree sets, whatever its name. A warning where only a part of the configuration is at hand.',
  why: 'nginx refuses to start: "unknown variable". A reload keeps the old configuration, and the next restart is an outage.',
  fix: "Add `map $http_upgrade $connection_upgrade { default upgrade; '' ''; }` to `http`.",
  source: 'Judged by nginx 1.22.1 in a test.',
  *check(config) {
    const { webSockets, tree, isMain } = config;
    for (const { upgrade, connection } of webSockets) {
      for (const line of [...upgrade.sent.filter((each) => !namesConnection(headerValue(each))), ...connection.sent]) {
        for (const name of variables(headerValue(line))) {
          if (config.variables.has(name) || BUILT_IN.test(name)) continue;
          const isCertain = isMain && tree.isComplete;
          const map = isCertain && connection.sent.includes(line) ? addMap(config, name) : undefined;
          yield {
            at: placeOf(line),
            severity: isCertain ? 'error' : 'warning',
            message: `nothing ${isCertain ? '' : 'in what was read '}sets $${name}: nginx refuses to start with it`,
            edits: map && [map],
          };
        }
      }
    }
  },
};

export const mapSwapped: Rule<NginxConfig> = {
  id: 'NGX007',
  name: 'map-swapped',
  severity: 'error',
  title: 'Upgrade and Connection are swapped',
  what: 'Upgrade gets what is meant for Connection (`$connection_upgrade`, `upgrade`), Connection gets `$http_upgrade`, or the map gives `upgrade` for plain requests and not for WebSockets.',
  why: 'The backend reads `Upgrade: upgrade` or `Connection: close` in the handshake, knows no such protocol, and answers 400 or ignores it.',
  fix: 'Upgrade gets `$http_upgrade`, Connection the mapped variable; in the map the default is `upgrade` and the empty key the rest.',
  source: 'A published container image sent `Upgrade: upgrade` for months.',
  *check(config) {
    for (const { upgrade, connection } of config.webSockets) {
      for (const line of upgrade.sent) yield* wrongUpgrade(config, line);
      for (const line of connection.sent) yield* wrongConnection(config, line);
    }
  },
};

function* wrongUpgrade(config: NginxConfig, line: Node): Generator<Problem> {
  const value = headerValue(line);
  const said = inHandshake(config, value);
  const isWrong = said === undefined ? namesConnection(value) : !/websocket/i.test(said);
  const word = line.directive.words[2];
  if (!isWrong || word === undefined) return;
  const { source } = line.directive;
  yield {
    at: placeOf(line),
    message: `Upgrade is sent as ${said === undefined ? value : `"${said}"`} in a handshake, not as "websocket"`,
    edits: [replace({ source, start: word.start, end: word.end }, '$http_upgrade')],
  };
}

function* wrongConnection(config: NginxConfig, line: Node): Generator<Problem> {
  const value = headerValue(line);
  const said = inHandshake(config, value);
  if (variables(value).length === 0 || said === undefined || isUpgrade(said)) return;
  const map = mapsOf(config).get(variables(value)[0] ?? '');
  if (map) {
    const message = `this map gives "${said}" for a WebSocket, and Connection must be "upgrade" then`;
    yield { at: placeOf(map), message };
    return;
  }
  const mapped = connectionValue(config);
  const word = line.directive.words[2];
  const { source } = line.directive;
  yield {
    at: placeOf(line),
    message: `Connection is sent as "${said}" in a handshake, not as "upgrade"`,
    edits: mapped && word && [replace({ source, start: word.start, end: word.end }, mapped.value), ...mapped.edits],
  };
}
