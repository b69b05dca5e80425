import type { Environment, Route } from '@holdfast/policy';
import { clockOf, connectionsInAll, groupBy, hasProxyProtocol, hopOf, isOn, lingering } from './chain.js';
import { because, block, type Line, nginxText } from './conf.js';
import { errorPages, ERROR_PAGE } from './nginx-errors.js';
import { healthLocations, locations } from './nginx-locations.js';
import { upstreamsOf } from './nginx-upstream.js';
import { acceptsOf, certificateOf, knowsAddress, listenPort, withoutAddressLimit } from './own-proxy.js';
import type { Notes, Target } from './target.js';
import { identifier, seconds } from './units.js';

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
  if (knowsAddress(env, 'nginx')) lines.push(`limit_conn_zone $binary_remote_addr zone=${id}_address:10m;`);
  else notes.add(withoutAddressLimit(env, 'nginx'));
  lines.push(
    because(
      `limit_req_zone $server_name zone=${id}_accepts:1m rate=${acceptsOf(env)}r/s;`,
      'limits.acceptsPerSecond of every pod',
    ),
    '',
  );
  return lines;
}

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
  const port = listenPort(env, 'nginx');
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
  const files = certificateOf(env, 'nginx');
  if (!files) return [];
  return [
    `ssl_certificate ${files.certificate};`,
    `ssl_certificate_key ${files.key};`,
    'ssl_protocols TLSv1.2 TLSv1.3;',
    'ssl_session_cache shared:holdfast_tls:10m;',
    because('ssl_session_timeout 1d;', 'who reconnects after a drop is spared the full handshake'),
    'ssl_session_tickets off;',
  ];
}
