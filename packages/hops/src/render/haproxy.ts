import { type Environment, type Route, formatDuration } from '@holdfast/policy';
import { clockOf, connectionsInAll, hasProxyProtocol, hopOf, lingering, proxiesBefore } from './chain.js';
import { because, type Block, block, haproxyText, type Line } from './conf.js';
import { backendName, backends, notFound } from './haproxy-backends.js';
import { ERROR_TEXTS } from './nginx-errors.js';
import { acceptsOf, certificateOf, knowsAddress, listenPort, withoutAddressLimit } from './own-proxy.js';
import type { Notes, Target } from './target.js';
import { mostSpecificFirst, slug } from './units.js';

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
  const port = listenPort(env, 'haproxy');
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
  const files = certificateOf(env, 'haproxy');
  if (!files) return [];
  return [
    '# HAProxy reads certificate and key from one file:',
    `#   cat ${files.certificate} ${files.key} > /etc/haproxy/certs/${env.service.name}.pem`,
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

function limitLines(env: Environment, notes: Notes): Line[] {
  const lines: Line[] = [
    '# More than these wait in the queue of the kernel: a storm of reconnects is slowed down, not refused.',
    because(`rate-limit sessions ${acceptsOf(env)}`, 'limits.acceptsPerSecond of every pod'),
  ];
  if (!knowsAddress(env, 'haproxy')) {
    notes.add(withoutAddressLimit(env, 'haproxy'));
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
