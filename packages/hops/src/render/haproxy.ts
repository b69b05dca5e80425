import {
  type CookiePolicy,
  type Environment,
  type PodAddress,
  type Route,
  type Stickiness,
  formatDuration,
} from '@holdfast/policy';
import {
  clockOf,
  connectionsInAll,
  hasProxyProtocol,
  hopOf,
  lingering,
  proxiesBefore,
  serviceHost,
  SESSION_PARAMETER,
} from './chain.js';
import { because, type Block, block, haproxyText, type Line } from './conf.js';
import { ERROR_TEXTS } from './nginx-errors.js';
import { capital } from './nginx-upstream.js';
import { type Notes, type Target, unsupported } from './target.js';
import { mostSpecificFirst, seconds, slug } from './units.js';

/** How long a side that has closed may keep the other half open. */
const FIN_MS = 30_000;

/** Statuses for which HAProxy lets an answer of its own be replaced. */
const REPLACEABLE = new Set([400, 403, 404, 405, 408, 413, 429, 500, 502, 503, 504]);

export const haproxy: Target = {
  summary: 'haproxy.cfg: frontend, a backend for each path, limits, error pages, access log',
  fits: (env) => hopOf(env, 'haproxy') !== undefined,
  render(env, notes) {
    const sections = [globals(env), defaults(env), frontend(env, notes), ...backends(env, notes), notFound()];
    return [{ path: 'haproxy.cfg', text: haproxyText(sections) }];
  },
};

function globals(env: Environment): Block {
  return block(
    'global',
    'log stdout format raw local0 info',
    because(
      `maxconn ${connectionsInAll(env)}`,
      'limits.connections of every pod; each takes two of the files that may be open',
    ),
    '# A reload starts a new process; the old one lives until its last tunnel ends, or until this.',
    haproxyStop(env),
    ...(env.tls ? ['ssl-default-bind-options ssl-min-ver TLSv1.2 no-tls-tickets'] : []),
  );
}

function haproxyStop(env: Environment): Line {
  const { afterMs, from } = lingering(env, clockOf(hopOf(env, 'haproxy'), 'hardStop'), 'the clock hardStop of the hop');
  return because(`hard-stop-after ${formatDuration(afterMs)}`, from);
}

function defaults(env: Environment): Block {
  const connectMs = Math.max(...env.routes.map((route) => route.connectMs), 1000);
  const readMs = Math.max(...env.routes.filter(({ kind }) => kind === 'rest').map((route) => route.readMs), 60_000);
  return block(
    'defaults',
    'mode http',
    'log global',
    'option dontlognull',
    '# Whoever has reached a pod that is down is sent to another one.',
    'option redispatch 1',
    'retries 3',
    'retry-on conn-failure 503',
    because(`timeout connect ${connectMs}ms`, 'connect of the routes'),
    because('timeout http-request 10s', 'a request that does not get its headers out'),
    'timeout http-keep-alive 60s',
    because('timeout queue 10s', 'longest wait for a pod with room'),
    '# Before a connection is upgraded, and for plain requests. An upgraded one has "timeout tunnel" alone.',
    `timeout client ${readMs}ms`,
    `timeout server ${readMs}ms`,
    '# Without these a connection that is half closed stays for as long as a tunnel may be silent.',
    `timeout client-fin ${formatDuration(FIN_MS)}`,
    `timeout server-fin ${formatDuration(FIN_MS)}`,
    '# "option independent-streams" is left out on purpose: with it a heartbeat of one side alone keeps nothing open.',
    ...[...ERROR_TEXTS].flatMap(([status, text]) => (REPLACEABLE.has(status) ? [errorLine(status, text)] : [])),
  );
}

function errorLine(status: number, text: string): string {
  const body = JSON.stringify({ error: { status, message: text } });
  const retry = status === 429 || status >= 502 ? ' hdr Retry-After 5' : '';
  return `http-error status ${status} content-type application/json string '${body}'${retry}`;
}

const LOG_FORMAT = JSON.stringify({
  time: '%[date,utime(%Y-%m-%dT%H:%M:%SZ)]',
  client: '%[src]',
  host: '%[capture.req.hdr(0),json(utf8s)]',
  method: '%HM',
  path: '%[path,json(utf8s)]',
  status: '%ST',
  upgrade: '%[capture.req.hdr(1),json(utf8s)]',
  backend: '%b',
  upstream: '%s',
  connect_ms: '%Tc',
  duration_ms: '%Tt',
  bytes_in: '%U',
  bytes_out: '%B',
  ended: '%ts',
}).replace(/"(%(?:ST|Tc|Tt|U|B))"/g, '$1');

function frontend(env: Environment, notes: Notes): Block {
  const port = Number(hopOf(env, 'haproxy')?.options.get('port') ?? (env.tls ? 443 : 80));
  const accept = hasProxyProtocol(env, 'haproxy') ? ' accept-proxy' : '';
  return block(
    `frontend ${env.service.name}`,
    env.tls
      ? [
          ...certificateLines(env),
          `bind :${port}${accept} ssl crt /etc/haproxy/certs/${env.service.name}.pem alpn h2,http/1.1`,
          `bind :80${accept}`,
          '# Browsers do not follow a redirect of a WebSocket: clients must use wss themselves.',
          'http-request redirect scheme https code 308 unless { ssl_fc }',
        ]
      : [`bind :${port}${accept}`],
    '',
    'declare capture request len 128',
    'declare capture request len 32',
    'http-request capture req.hdr(host) id 0',
    'http-request capture req.hdr(upgrade) id 1',
    '# How it ended: "cD" and "sD" are silence, "CD" is a client that went, "SD" a pod that did. The path comes without its query.',
    'http-request set-var(txn.path) path',
    `log-format '${LOG_FORMAT.replace('%[path,', '%[var(txn.path),')}'`,
    '',
    addressLines(env),
    limitLines(env, notes),
    '',
    because('http-request disable-l7-retry unless METH_GET', 'no request that may have had an effect is sent twice'),
    hostLines(env),
    because(
      `http-request return status 200 content-type text/plain string ok if { path ${env.health.livePath} }`,
      'HAProxy itself',
    ),
    '',
    env.health.readyPath === env.health.livePath
      ? []
      : `use_backend ${env.service.name}-health if { path ${env.health.readyPath} }`,
    mostSpecificFirst(env.routes).flatMap((route) => routeLines(env, route)),
    'default_backend not-found',
  );
}

function certificateLines(env: Environment): Line[] {
  const { certificate, key } = env.tls ?? {};
  if (certificate === undefined || key === undefined) {
    throw unsupported(
      'haproxy',
      'TLS without files',
      'set tls.certificate and tls.key, or leave tls out where another hop ends it',
    );
  }
  return [
    '# HAProxy reads certificate and key from one file:',
    `#   cat ${certificate} ${key} > /etc/haproxy/certs/${env.service.name}.pem`,
  ];
}

/** The client's address as trusted proxies tell it: each of them adds one to the end of the header. */
function addressLines(env: Environment): Line[] {
  const count = proxiesBefore(env, 'haproxy').length;
  const trusted = [...env.gateway.trustedProxies].sort();
  const lines: Line[] = [];
  if (trusted.length > 0 && !hasProxyProtocol(env, 'haproxy')) {
    lines.push(
      '# Who the client is, these proxies say; what anybody else puts into the header is not believed.',
      `acl is-trusted src ${trusted.join(' ')}`,
      because(
        `http-request set-src req.hdr(x-forwarded-for,-${Math.max(count, 1)}) if is-trusted { req.hdr(x-forwarded-for) -m found }`,
        `${Math.max(count, 1)} from the end: one for each proxy in front`,
      ),
      'http-request set-header X-Forwarded-Proto http unless is-trusted',
    );
  } else lines.push('http-request set-header X-Forwarded-Proto http');
  return [
    ...lines,
    'http-request set-header X-Forwarded-Proto https if { ssl_fc }',
    because('http-request set-header X-Forwarded-For %[src]', 'not what the client claims'),
    'http-request set-header X-Real-IP %[src]',
    '',
  ];
}

const knowsAddress = (env: Environment): boolean =>
  proxiesBefore(env, 'haproxy').length === 0 ||
  env.gateway.trustedProxies.length > 0 ||
  hasProxyProtocol(env, 'haproxy');

function limitLines(env: Environment, notes: Notes): Line[] {
  const pods = Math.max(env.pods.length, 1);
  const lines: Line[] = [
    '# More than these wait in the queue of the kernel: a storm of reconnects is slowed down, not refused.',
    because(`rate-limit sessions ${env.limits.acceptsPerSecond * pods}`, 'limits.acceptsPerSecond of every pod'),
  ];
  if (!knowsAddress(env)) {
    const names = proxiesBefore(env, 'haproxy').map(({ name }) => name);
    notes.add(
      `limits.connectionsPerAddress is not rendered: behind ${names.join(' and ')} clients share addresses; name its networks in gateway.trustedProxies`,
    );
    return lines;
  }
  return [
    ...lines,
    'stick-table type ipv6 size 100k expire 10m store conn_cur',
    'http-request track-sc0 src',
    because(
      `http-request deny deny_status 429 if { sc0_conn_cur gt ${env.limits.connectionsPerAddress} }`,
      'limits.connectionsPerAddress',
    ),
  ];
}

function hostLines(env: Environment): Line[] {
  if (env.hosts.length === 0) return [];
  return ['http-request set-var(txn.host) req.hdr(host),field(1,:),lower'];
}

/** A prefix is of whole segments: `/ws` and `/ws/x`, not `/wsx`. */
function routeLines(env: Environment, route: Route): Line[] {
  const acl = `is-${route.kind}-${slug(route.path)}`;
  const prefix = route.path.endsWith('/') ? route.path : `${route.path}/`;
  const hosts = route.hosts.length > 0 ? ` { var(txn.host) -m str ${route.hosts.join(' ')} }` : '';
  return [
    `acl ${acl} path ${route.path}`,
    ...(route.match === 'exact' ? [] : [`acl ${acl} path_beg ${prefix}`]),
    `use_backend ${backendName(env, route)} if ${acl}${hosts}`,
  ];
}

const backendName = (env: Environment, route: Route): string =>
  `${env.service.name}-${route.kind === 'websocket' ? 'ws' : 'rest'}-${slug(route.path)}`;

function backends(env: Environment, notes: Notes): Block[] {
  const health = block(
    `backend ${env.service.name}-health`,
    'balance roundrobin',
    `timeout server ${env.health.timeoutMs}ms`,
    checkLines(env),
    serverLines(env, { by: 'none', balance: 'round-robin' }, env.service.port.port),
  );
  const routes = env.routes.map((route) => backend(env, route, notes));
  return env.health.readyPath === env.health.livePath ? routes : [...routes, health];
}

function backend(env: Environment, route: Route, notes: Notes): Block {
  checkStickiness(env, route.stickiness);
  if (route.kind === 'websocket' && route.stickiness.by === 'header') {
    notes.add(
      `a browser cannot send the header ${route.stickiness.header} with a WebSocket: who does not goes to each pod in turn`,
    );
  }
  return block(
    `backend ${backendName(env, route)}`,
    methodLines(route.stickiness),
    route.kind === 'websocket'
      ? because(
          `timeout tunnel ${route.readMs}ms`,
          `silence of both directions, ${formatDuration(route.readMs)}: a byte of either starts it anew`,
        )
      : [
          because(`timeout server ${route.readMs}ms`, `silence of the pod, ${formatDuration(route.readMs)}`),
          because(`timeout tunnel ${route.readMs}ms`, 'an upgrade that comes here has no longer than a request'),
        ],
    `timeout connect ${route.connectMs}ms`,
    checkLines(env),
    serverLines(env, route.stickiness, route.port.port),
  );
}

function checkStickiness(env: Environment, stickiness: Stickiness): void {
  if (stickiness.by === 'none') return;
  if (env.pods.length === 0) {
    throw unsupported(
      'haproxy',
      `stickiness by ${stickiness.by} without the addresses of the pods`,
      'list them under pods',
    );
  }
  if (stickiness.by === 'ip' && !knowsAddress(env)) {
    const names = proxiesBefore(env, 'haproxy').map(({ name }) => name);
    throw unsupported(
      'haproxy',
      `stickiness by address behind ${names.join(' and ')}, whose addresses all clients share`,
      'name its networks in gateway.trustedProxies, or stick by cookie',
    );
  }
}

function methodLines(stickiness: Stickiness): Line[] {
  const consistent = [
    because('hash-type consistent', 'a pod more or less moves its share only'),
    ...(stickiness.by !== 'none' && stickiness.maxLoad !== undefined
      ? [because(`hash-balance-factor ${Math.round(stickiness.maxLoad * 100)}`, 'maxLoad, in percent of the average')]
      : []),
  ];
  switch (stickiness.by) {
    case 'none':
      return [stickiness.balance === 'least' ? 'balance leastconn' : 'balance roundrobin'];
    case 'ip':
      return ['balance source', ...consistent];
    case 'header':
      return [`balance hdr(${stickiness.header})`, ...consistent];
    case 'session':
      return ['# A client names its session when it resumes.', `balance url_param ${SESSION_PARAMETER}`, ...consistent];
    case 'cookie':
      return ['balance leastconn', cookieLine(stickiness.cookie)];
  }
}

function cookieLine(cookie: CookiePolicy): string {
  const parts = [
    `cookie ${cookie.name} insert indirect nocache`,
    cookie.httpOnly ? 'httponly' : undefined,
    cookie.secure ? 'secure' : undefined,
    cookie.path === '/' ? undefined : `attr "Path=${cookie.path}"`,
    cookie.maxAgeMs === undefined ? undefined : `attr "Max-Age=${seconds(cookie.maxAgeMs)}"`,
    `attr "SameSite=${capital(cookie.sameSite)}"`,
    cookie.partitioned ? 'attr "Partitioned"' : undefined,
    cookie.domain === undefined ? undefined : `domain ${cookie.domain}`,
  ];
  return parts.filter((part) => part !== undefined).join(' ');
}

function checkLines(env: Environment): Line[] {
  if (env.pods.length === 0) return [];
  const { readyPath, intervalMs, timeoutMs, maxFails, rise = 2, fall = 3, slowStartMs = 10_000 } = env.health;
  return [
    `option httpchk GET ${readyPath}`,
    'http-check expect status 200',
    because(`timeout check ${timeoutMs}ms`, 'health.timeout'),
    '# A pod that fails its checks gets no new connections; "on-marked-down shutdown-sessions", which would cut those it has, is left out.',
    `default-server check inter ${intervalMs}ms fall ${fall} rise ${rise} observe layer4 error-limit ${maxFails} on-error mark-down`,
    `default-server maxconn ${env.limits.connections} slowstart ${slowStartMs}ms`,
  ];
}

function serverLines(env: Environment, stickiness: Stickiness, port: number): Line[] {
  if (env.pods.length === 0) {
    return [
      '# The Service has one address for all pods: it is kube-proxy that chooses.',
      `server service ${serviceHost(env)}:${port}`,
    ];
  }
  return env.pods.map((pod, i) => {
    const cookie = stickiness.by === 'cookie' ? ` cookie pod-${i + 1}` : '';
    const weight = pod.weight === 1 ? '' : ` weight ${pod.weight}`;
    return `server pod-${i + 1} ${addressOf(pod)}${cookie}${weight}${pod.backup ? ' backup' : ''}`;
  });
}

const addressOf = ({ host, port }: PodAddress): string => `${host.includes(':') ? `[${host}]` : host}:${port}`;

const notFound = (): Block =>
  block(
    'backend not-found',
    `http-request return status 404 content-type application/json string '${JSON.stringify({ error: { status: 404, message: ERROR_TEXTS.get(404) } })}'`,
  );
