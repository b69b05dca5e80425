import { type CookiePolicy, type Environment, type Route, type Stickiness, formatDuration } from '@holdfast/policy';
import { serviceHost, SESSION_PARAMETER } from './chain.js';
import { because, type Block, block, type Line } from './conf.js';
import { ERROR_TEXTS } from './nginx-errors.js';
import { addressOf, capital, checkStickiness } from './own-proxy.js';
import type { Notes } from './target.js';
import { seconds, slug } from './units.js';

export const backendName = (env: Environment, route: Route): string =>
  `${env.service.name}-${route.kind === 'websocket' ? 'ws' : 'rest'}-${slug(route.path)}`;

export function backends(env: Environment, notes: Notes): Block[] {
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
  checkStickiness(env, route.stickiness, 'haproxy');
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

export const notFound = (): Block =>
  block(
    'backend not-found',
    `http-request return status 404 content-type application/json string '${JSON.stringify({ error: { status: 404, message: ERROR_TEXTS.get(404) } })}'`,
  );
