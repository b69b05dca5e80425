import { type Environment, type Route, type Stickiness, formatDuration } from '@holdfast/policy';
import { clockOf, hopOf } from './chain.js';
import { because, block, type Line } from './conf.js';
import { ERROR_PAGE } from './nginx-errors.js';
import { makesCookie, upstreamOf } from './nginx-upstream.js';
import { acceptsOf, knowsAddress } from './own-proxy.js';
import { identifier, mostSpecificFirst, seconds } from './units.js';

/** nginx's own `send_timeout`. */
const CLIENT_SEND_MS = 60_000;

/** Whether nginx lives it answers itself; whether anything behind it does, a pod has to say. */
export function healthLocations(env: Environment): Line[] {
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

export function locations(env: Environment, routes: readonly Route[]): Line[] {
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
    timeoutLines(env, route),
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

/** How long a client may take no byte: its buffers wait meanwhile, so no longer than by default, whatever a pod may have. */
const clientSendMs = (env: Environment, route: Route): number =>
  clockOf(hopOf(env, 'nginx'), 'clientSend') ?? Math.min(route.sendMs, CLIENT_SEND_MS);

function timeoutLines(env: Environment, route: Route): Line[] {
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
    because(`send_timeout ${seconds(clientSendMs(env, route))}s;`, 'the client takes no byte; no idle timeout either'),
  ];
}

/** A storm of reconnects is slowed down to the rate, and refused only where a client would have given up before its turn. */
function limitLines(env: Environment): Line[] {
  const id = identifier(env.service.name);
  const accepts = acceptsOf(env);
  const burst = Math.ceil((accepts * env.connect.connectMs) / 1000);
  const waiting = `a second of reconnects at once, then at the rate; nobody waits longer than ${formatDuration(env.connect.connectMs)}`;
  return [
    ...(knowsAddress(env, 'nginx')
      ? [because(`limit_conn ${id}_address ${env.limits.connectionsPerAddress};`, 'limits.connectionsPerAddress')]
      : []),
    because(`limit_req zone=${id}_accepts burst=${burst} delay=${Math.min(accepts, burst)};`, waiting),
  ];
}

/** Set with the first answer, also of a handshake. Without `always` the 101 would go without it. */
function cookieLines(stickiness: Stickiness, env: Environment): Line[] {
  if (stickiness.by !== 'cookie' || makesCookie(env, stickiness.cookie)) return [];
  return ['', `add_header Set-Cookie $${identifier(stickiness.cookie.name)}_set always;`];
}
