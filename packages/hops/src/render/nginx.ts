import { type Environment, type Route, type Stickiness, formatDuration } from '@holdfast/policy';
import {
  clockOf,
  connectionsInAll,
  hasProxyProtocol,
  hopOf,
  lingering,
  isOn,
  groupBy,
  proxiesBefore,
} from './chain.js';
import { because, block, type Line, nginxText } from './conf.js';
import { errorPages, ERROR_PAGE } from './nginx-errors.js';
import { upstreamOf, upstreamsOf } from './nginx-upstream.js';
import { type Notes, type Target, unsupported } from './target.js';
import { identifier, mostSpecificFirst, seconds } from './units.js';

/** Connections beside those of clients: logs, listeners, health checks. */
const SPARE_CONNECTIONS = 1024;

export const nginx: Target = {
  summary: 'nginx.conf and one file for the service: upstream, locations, limits, error pages, access log',
  fits: (env) => hopOf(env, 'nginx') !== undefined,
  render(env, notes) {
    return [
      { path: 'nginx.conf', text: nginxText(mainLines(env)) },
      { path: `conf.d/${env.service.name}.conf`, text: nginxText(serviceLines(env, notes)) },
    ];
  },
};

/** What belongs to the whole of nginx. Whoever has an nginx.conf takes the numbers from here, and the other file as it is. */
function mainLines(env: Environment): Line[] {
  const connections = connectionsInAll(env) * 2 + SPARE_CONNECTIONS;
  const { afterMs, from } = lingering(env, clockOf(hopOf(env, 'nginx'), 'shutdown'), 'the clock shutdown of the hop');
  return [
    'worker_processes auto;',
    because(`worker_rlimit_nofile ${connections + SPARE_CONNECTIONS};`, 'a connection is a file'),
    '',
    '# A reload leaves the old workers with the connections that they have. Without this they stay for as long as one of those does;',
    '# with it, all that is left is cut at this time after the reload, busy or not, with no close frame and no TLS close_notify.',
    because(`worker_shutdown_timeout ${seconds(afterMs)}s;`, from),
    '',
    '# At the level "error" the end of an idle WebSocket is not logged: nginx reports it as info.',
    'error_log /var/log/nginx/error.log info;',
    'pid /run/nginx.pid;',
    '',
    block(
      'events',
      because(`worker_connections ${connections};`, 'limits.connections of every pod, two for each WebSocket'),
    ),
    '',
    block('http', 'server_tokens off;', 'access_log off;', 'include conf.d/*.conf;'),
  ];
}

function serviceLines(env: Environment, notes: Notes): Line[] {
  const upstreams = upstreamsOf(env, notes);
  return [
    '# Empty for plain requests, so that connections to pods are kept alive.',
    block('map $http_upgrade $connection_upgrade', 'default upgrade;', "''      '';"),
    '',
    ...upstreams,
    ...limitZones(env, notes),
    ...addressLines(env),
    ...logFormat(env),
    ...errorPages(),
    ...servers(env),
  ];
}

/** The client's address and scheme as the proxies before us tell them, if they are trusted; else as the connection does. */
function addressLines(env: Environment): Line[] {
  const trusted = env.gateway.trustedProxies;
  const lines: Line[] = [];
  if (hasProxyProtocol(env, 'nginx')) {
    lines.push(
      '# The hop in front begins each connection with the address of the client.',
      'real_ip_header proxy_protocol;',
    );
  } else if (trusted.length > 0) {
    lines.push('# Who the client is, these proxies say; what anybody else puts into the header is not believed.');
    lines.push('real_ip_header X-Forwarded-For;', 'real_ip_recursive on;');
  }
  if (lines.length > 0) lines.push(...[...trusted].sort().map((network) => `set_real_ip_from ${network};`));
  const id = identifier(env.service.name);
  lines.push(
    block(
      `geo $realip_remote_addr $${id}_is_trusted`,
      'default 0;',
      ...[...trusted].sort().map((network) => `${network} 1;`),
    ),
    block(
      `map "$${id}_is_trusted:$http_x_forwarded_proto" $${id}_scheme`,
      'default   $scheme;',
      '"1:http"  http;',
      '"1:https" https;',
    ),
    '',
  );
  return lines;
}

/** Zones of the limits. Behind a proxy that is not trusted every client has its address, so a limit by address would hit all. */
function limitZones(env: Environment, notes: Notes): Line[] {
  const id = identifier(env.service.name);
  const lines: Line[] = ['# Limits are told as 429.', 'limit_conn_status 429;', 'limit_req_status 429;'];
  if (knowsAddress(env)) lines.push(`limit_conn_zone $binary_remote_addr zone=${id}_address:10m;`);
  else {
    const names = proxiesBefore(env, 'nginx').map(({ name }) => name);
    notes.add(
      `limits.connectionsPerAddress is not rendered: behind ${names.join(' and ')} clients share addresses; name its networks in gateway.trustedProxies`,
    );
  }
  lines.push(
    because(
      `limit_req_zone $server_name zone=${id}_accepts:1m rate=${acceptsOf(env)}r/s;`,
      'limits.acceptsPerSecond of every pod',
    ),
    '',
  );
  return lines;
}

export const knowsAddress = (env: Environment): boolean =>
  proxiesBefore(env, 'nginx').length === 0 || env.gateway.trustedProxies.length > 0 || hasProxyProtocol(env, 'nginx');

const acceptsOf = (env: Environment): number => env.limits.acceptsPerSecond * Math.max(env.pods.length, 1);

/** The path without its query, which may hold what nobody should read in a log. */
function logFormat(env: Environment): Line[] {
  const members: readonly (readonly [string, string])[] = [
    ['time', '"$time_iso8601"'],
    ['client', '"$remote_addr"'],
    ['host', '"$host"'],
    ['method', '"$request_method"'],
    ['path', '"$uri"'],
    ['status', '$status'],
    ['upgrade', '"$http_upgrade"'],
    ['upstream', '"$upstream_addr"'],
    ['upstream_status', '"$upstream_status"'],
    ['connect_s', '"$upstream_connect_time"'],
    ['duration_s', '$request_time'],
    ['bytes_in', '$request_length'],
    ['bytes_out', '$bytes_sent'],
  ];
  const json = members.map(([name, value], i) => {
    const comma = i < members.length - 1 ? ',' : '';
    return `    '${i === 0 ? '{' : ''}"${name}":${value}${comma}${comma === '' ? '}' : ''}'${comma === '' ? ';' : ''}`;
  });
  return [
    '# A WebSocket is logged when it ends: status 101, its duration, and the pod that it was on.',
    `log_format ${identifier(env.service.name)} escape=json`,
    ...json,
    '',
  ];
}

function servers(env: Environment): Line[] {
  const port = Number(hopOf(env, 'nginx')?.options.get('port') ?? (env.tls ? 443 : 80));
  const proxyProtocol = hasProxyProtocol(env, 'nginx') ? ' proxy_protocol' : '';
  const lines: Line[] = [];
  if (env.tls) {
    const names = env.hosts.length > 0 ? env.hosts.join(' ') : '_';
    lines.push(
      '# Browsers do not follow a redirect of a WebSocket: clients must use wss themselves.',
      block('server', `listen 80${proxyProtocol};`, `server_name ${names};`, 'return 308 https://$host$request_uri;'),
      '',
    );
  }
  for (const { names, routes } of serversOf(env)) {
    const head = [`listen ${port}${env.tls ? ' ssl' : ''}${proxyProtocol};`, `server_name ${names};`];
    const log = `access_log /var/log/nginx/${env.service.name}.access.log ${identifier(env.service.name)};`;
    const rest = [healthLocations(env), locations(env, routes)];
    lines.push(block('server', head, tlsLines(env), '', log, ERROR_PAGE.directives, '', ...rest), '');
  }
  return lines.slice(0, -1);
}

/** Hosts with the same routes share a server. */
function serversOf(env: Environment): { readonly names: string; readonly routes: readonly Route[] }[] {
  if (env.hosts.length === 0) return [{ names: '_', routes: env.routes }];
  const routesOf = (host: string): Route[] => env.routes.filter((route) => isOn(route, host));
  const groups = groupBy(env.hosts, (host) => JSON.stringify(routesOf(host)));
  return groups.map((hosts) => ({ names: hosts.join(' '), routes: routesOf(hosts[0] ?? '') }));
}

function tlsLines(env: Environment): Line[] {
  if (!env.tls) return [];
  const { certificate, key } = env.tls;
  if (certificate === undefined || key === undefined) {
    throw unsupported(
      'nginx',
      'TLS without files',
      'set tls.certificate and tls.key, or leave tls out where another hop ends it',
    );
  }
  return [
    `ssl_certificate ${certificate};`,
    `ssl_certificate_key ${key};`,
    'ssl_protocols TLSv1.2 TLSv1.3;',
    'ssl_session_cache shared:holdfast_tls:10m;',
    because('ssl_session_timeout 1d;', 'who reconnects after a drop is spared the full handshake'),
    'ssl_session_tickets off;',
  ];
}

/** Whether nginx lives it answers itself; whether anything behind it does, a pod has to say. */
function healthLocations(env: Environment): Line[] {
  const upstream = upstreamOf(env, { stickiness: { by: 'none', balance: 'round-robin' }, port: env.service.port });
  const location = (path: string, ...body: string[]): Line[] => [
    block(`location = ${path}`, 'access_log off;', ...body),
    '',
  ];
  const proxied = [
    `proxy_pass http://${upstream};`,
    'proxy_http_version 1.1;',
    'proxy_set_header Host $host;',
    "proxy_set_header Connection '';",
    `proxy_connect_timeout ${seconds(env.health.timeoutMs)}s;`,
    because(`proxy_read_timeout ${seconds(env.health.timeoutMs)}s;`, 'health.timeout'),
  ];
  return [
    ...location(env.health.livePath, 'default_type text/plain;', String.raw`return 200 'ok\n';`),
    ...(env.health.readyPath === env.health.livePath ? [] : location(env.health.readyPath, ...proxied)),
  ];
}

function locations(env: Environment, routes: readonly Route[]): Line[] {
  const lines: Line[] = [];
  for (const route of mostSpecificFirst(routes)) lines.push(location(env, route), '');
  if (!routes.some(({ path }) => path === '/')) lines.push(block('location /', 'return 404;'), '');
  return [...lines, ...ERROR_PAGE.location];
}

function location(env: Environment, route: Route): Line {
  const isWebSocket = route.kind === 'websocket';
  const id = identifier(env.service.name);
  return block(
    `location ${route.match === 'exact' ? '= ' : ''}${route.path}`,
    `proxy_pass http://${upstreamOf(env, route)};`,
    because('proxy_http_version 1.1;', 'the default before nginx 1.29.7 is 1.0, which has no Upgrade'),
    '',
    '# All of them in one place: a location that sets one header inherits none.',
    'proxy_set_header Host $host;',
    because('proxy_set_header X-Forwarded-For $remote_addr;', 'not what the client claims'),
    'proxy_set_header X-Real-IP $remote_addr;',
    `proxy_set_header X-Forwarded-Proto $${id}_scheme;`,
    isWebSocket
      ? ['proxy_set_header Upgrade $http_upgrade;', 'proxy_set_header Connection $connection_upgrade;']
      : ["proxy_set_header Connection '';"],
    '',
    timeoutLines(route),
    isWebSocket
      ? because('proxy_socket_keepalive on;', 'finds a pod whose machine is gone; resets no timeout')
      : undefined,
    '',
    '# The next pod, when one cannot be reached or says that it takes nobody.',
    because(
      'proxy_next_upstream error timeout http_503;',
      'no request that has had an effect is sent twice: POST is not repeated',
    ),
    'proxy_next_upstream_tries 3;',
    '',
    isWebSocket ? limitLines(env) : [because(`client_max_body_size ${env.limits.bodyBytes};`, 'limits.body, bytes')],
    cookieLines(route.stickiness, env),
  );
}

function timeoutLines(route: Route): Line[] {
  const read = seconds(route.readMs);
  if (route.kind === 'rest') {
    return [
      because(`proxy_connect_timeout ${seconds(route.connectMs)}s;`, 'the kernel gives up at about 75 s'),
      because(`proxy_read_timeout ${read}s;`, `silence of the pod, ${formatDuration(route.readMs)}`),
      because(`proxy_send_timeout ${seconds(route.sendMs)}s;`, 'the pod takes no byte of the request'),
    ];
  }
  return [
    because(`proxy_connect_timeout ${seconds(route.connectMs)}s;`, 'the kernel gives up at about 75 s'),
    because(
      `proxy_read_timeout ${read}s;`,
      `silence of both directions, ${formatDuration(route.readMs)}: a byte of either starts it anew; also the wait for the answer to a handshake`,
    ),
    because(
      `proxy_send_timeout ${seconds(route.sendMs)}s;`,
      'the pod takes no byte; no idle timeout, whatever is said of it',
    ),
    because(`send_timeout ${seconds(route.sendMs)}s;`, 'the client takes no byte; no idle timeout either'),
  ];
}

/** A storm of reconnects is slowed down to the rate, and refused only where a client would have given up before its turn. */
function limitLines(env: Environment): Line[] {
  const id = identifier(env.service.name);
  const accepts = acceptsOf(env);
  const burst = Math.ceil((accepts * env.connect.connectMs) / 1000);
  const waiting = `a second of reconnects at once, then at the rate; nobody waits longer than ${formatDuration(env.connect.connectMs)}`;
  return [
    ...(knowsAddress(env)
      ? [because(`limit_conn ${id}_address ${env.limits.connectionsPerAddress};`, 'limits.connectionsPerAddress')]
      : []),
    because(`limit_req zone=${id}_accepts burst=${burst} delay=${Math.min(accepts, burst)};`, waiting),
  ];
}

/** Set with the first answer, also of a handshake. Without `always` the 101 would go without it. */
function cookieLines(stickiness: Stickiness, env: Environment): Line[] {
  if (stickiness.by !== 'cookie' || upstreamOf.hasOwnCookie(env)) return [];
  return ['', `add_header Set-Cookie $${identifier(stickiness.cookie.name)}_set always;`];
}
