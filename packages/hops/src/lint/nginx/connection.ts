import { own } from '../../nginx/effective.js';
import { variables } from '../../nginx/values.js';
import type { LintContext } from '../context.js';
import { remove } from '../edits.js';
import { looksPlain, servesPolling } from '../paths.js';
import type { Problem, Rule } from '../rule.js';
import { headerValue, type NginxConfig, placeOf, type ProxyLocation } from './config.js';
import { isUpgrade } from './maps.js';

export const connectionNotUpgrade: Rule<NginxConfig> = {
  id: 'NGX004',
  name: 'connection-not-upgrade',
  severity: 'error',
  title: 'Connection says something else than upgrade beside Upgrade',
  what: 'Upgrade is forwarded and Connection is a constant without `upgrade`: `keep-alive`, `close`, or empty. An empty one beside `"upgrade"` is NGX009.',
  why: 'RFC 6455 wants both headers. The backend sees `Upgrade` without `Connection: upgrade`, ignores it, and the handshake fails. Templates for keep-alive backends often have it.',
  fix: 'Set `proxy_set_header Connection $connection_upgrade;` with a map of `$http_upgrade`: `upgrade` for WebSockets, empty for the rest.',
  source: 'RFC 6455, section 4.2.1; seen in published configurations.',
  *check({ webSockets }) {
    for (const { upgrade, connection } of webSockets) {
      if (upgrade.sent.length === 0) continue;
      const wrong = connection.sent.length > 0 ? connection.sent : connection.empty;
      const isRight = (value: string): boolean => isUpgrade(value) || variables(value).length > 0;
      if (wrong.some((line) => isRight(headerValue(line)))) continue;
      for (const line of wrong.slice(0, 1)) {
        yield {
          at: placeOf(line),
          message: `the backend is told Connection "${headerValue(line)}" together with Upgrade`,
        };
      }
    }
  },
};

export const constantUpgrade: Rule<NginxConfig> = {
  id: 'NGX005',
  name: 'constant-upgrade',
  severity: 'warning',
  title: 'Every request claims an upgrade',
  what: '`Connection "upgrade"` as a constant in a location that serves plain HTTP as well: `/`, one that looks like an API or holds a REST path of the policy, or one of a library that polls (Socket.IO, SockJS, SignalR). A location of WebSockets alone may have it.',
  why: 'Plain requests carry `Connection: upgrade` too: the pool of idle connections to the backend is of no use, and strict backends answer 400.',
  fix: "Use `map $http_upgrade $connection_upgrade { default upgrade; '' ''; }` and `proxy_set_header Connection $connection_upgrade;`.",
  source: 'nginx documentation, WebSocket proxying.',
  *check({ webSockets }, context) {
    for (const location of webSockets) {
      if (location.upgrade.sent.length === 0 || !servesPlain(location, context)) continue;
      const line = location.connection.sent.find((each) => isConstantUpgrade(headerValue(each)));
      if (line) yield { at: placeOf(line), message: 'plain HTTP requests of this location claim an upgrade, too' };
    }
  },
};

const isConstantUpgrade = (value: string): boolean => isUpgrade(value) && variables(value).length === 0;

function servesPlain({ path, modifier, node }: ProxyLocation, { environments }: LintContext): boolean {
  const rest = environments.flatMap(({ routes }) => routes.filter((route) => route.kind === 'rest'));
  return (
    /^(?:\/|\^?\/?\.\*\$?|\^\/)$/.test(path) ||
    looksPlain(path) ||
    servesPolling(path) ||
    own(node, 'try_files').length > 0 ||
    (modifier !== '~' && modifier !== '~*' && rest.some((route) => route.path.startsWith(path)))
  );
}

export const duplicateConnectionEmpty: Rule<NginxConfig> = {
  id: 'NGX009',
  name: 'duplicate-connection-empty',
  severity: 'warning',
  title: 'An empty Connection beside another has no effect',
  what: '`proxy_set_header Connection "upgrade"` (or a variable) and `proxy_set_header Connection ""` on one level.',
  why: 'nginx drops empty headers when it reads the configuration, in whatever order they stand: `upgrade` is sent with every request, and the keep-alive that the empty line was meant for is lost.',
  fix: 'Keep one line, `proxy_set_header Connection $connection_upgrade;`, with a map that is empty for plain requests.',
  source: 'ngx_http_proxy_module.c, ngx_http_proxy_init_headers; measured with nginx 1.22.1.',
  *check({ webSockets }) {
    for (const { connection } of webSockets) {
      const [line] = connection.empty;
      if (line === undefined || connection.sent.length === 0) continue;
      const other = headerValue(connection.sent[0] ?? line);
      yield {
        at: placeOf(line),
        message: `this line has no effect: Connection "${other}" of the same level is sent with every request`,
      };
    }
  },
};

export const duplicateConnection: Rule<NginxConfig> = {
  id: 'NGX010',
  name: 'duplicate-connection',
  severity: 'warning',
  title: 'Connection is sent twice',
  what: 'Two `proxy_set_header Connection` with a value are in effect on one level.',
  why: 'nginx sends both lines. Node joins them and copes; stricter backends and proxies answer 400.',
  fix: 'Keep one of them.',
  source: 'ngx_http_proxy_module.c, ngx_http_proxy_init_headers; measured with nginx 1.22.1.',
  *check({ webSockets }) {
    for (const { connection } of webSockets) yield* twice(connection.sent, 'Connection');
  },
};

export const duplicateUpgrade: Rule<NginxConfig> = {
  id: 'NGX008',
  name: 'duplicate-upgrade',
  severity: 'error',
  title: 'Upgrade is sent twice',
  what: 'Two `proxy_set_header Upgrade` with a value are in effect on one level.',
  why: 'nginx sends both. Node joins them to `websocket, websocket`, and `ws` answers 400 "Invalid Upgrade header" to every handshake.',
  fix: 'Keep one of them, `proxy_set_header Upgrade $http_upgrade;`.',
  source: 'ngx_http_proxy_module.c, ngx_http_proxy_init_headers; ws, lib/websocket-server.js; measured.',
  *check({ webSockets }) {
    for (const { upgrade } of webSockets) yield* twice(upgrade.sent, 'Upgrade');
  },
};

/** Every line behind the first. One that repeats it word for word can go. */
function* twice([first, ...others]: ProxyLocation['upgrade']['sent'], name: string): Generator<Problem> {
  for (const line of others) {
    const isSame = first !== undefined && headerValue(first) === headerValue(line);
    yield {
      at: placeOf(line),
      message: `the backend is sent a second ${name}, "${headerValue(line)}" beside "${headerValue(first ?? line)}"`,
      edits: isSame ? [remove(line.directive)] : undefined,
    };
  }
}
