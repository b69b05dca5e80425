import type { CookiePolicy, Environment, PodAddress, Route, Stickiness } from '@holdfast/policy';
import { groupBy, hasVersion, hopOf, serviceHost, SESSION_PARAMETER } from './chain.js';
import { because, block, type Line } from './conf.js';
import { addressOf, capital, checkStickiness } from './own-proxy.js';
import { type Notes, unsupported } from './target.js';
import { identifier, seconds } from './units.js';

type Destination = Pick<Route, 'stickiness' | 'port'>;

/** `sticky` is in open source nginx from here on; before, a cookie is hashed. */
const STICKY_VERSION = [1, 29, 6] as const;

/** Name of the upstream of a route. Pods that are listed have their own ports, so only the stickiness tells upstreams apart. */
export function upstreamOf(env: Environment, { stickiness, port }: Destination): string {
  const id = identifier(env.service.name);
  const how =
    stickiness.by === 'header'
      ? `_by_${identifier(stickiness.header.toLowerCase())}`
      : stickiness.by === 'none'
        ? ''
        : `_by_${stickiness.by}`;
  return env.pods.length > 0 || port.name === env.service.port.name
    ? `${id}${how}`
    : `${id}_${identifier(port.name)}${how}`;
}

/** Whether this nginx makes the cookie itself. Its `sticky` has no word for Partitioned. */
export const makesCookie = (env: Environment, { partitioned }: CookiePolicy): boolean =>
  !partitioned && hasVersion(hopOf(env, 'nginx'), STICKY_VERSION);

export function upstreamsOf(env: Environment, notes: Notes): Line[] {
  const health: Destination = { stickiness: { by: 'none', balance: 'round-robin' }, port: env.service.port };
  const groups = groupBy<Destination>([...env.routes, health], (route) => upstreamOf(env, route));
  return groups.flatMap(([first]) => (first ? upstream(env, first, notes) : []));
}

function upstream(env: Environment, destination: Destination, notes: Notes): Line[] {
  const name = upstreamOf(env, destination);
  const { stickiness } = destination;
  checkNginx(env, stickiness);
  if (stickiness.by !== 'none' && stickiness.maxLoad !== undefined) {
    notes.add(`maxLoad of ${stickiness.maxLoad} is not rendered: the hashes of nginx know no bound on load`);
  }
  return [
    ...keyLines(stickiness, env, notes),
    block(
      `upstream ${name}`,
      because(`zone ${name} 256k;`, 'what is known of a pod, and max_conns, is shared by the workers'),
      methodLines(stickiness, env),
      servers(env, destination),
      because('keepalive 32;', 'for plain requests; a WebSocket keeps its connection to itself'),
    ),
    '',
  ];
}

function checkNginx(env: Environment, stickiness: Stickiness): void {
  checkStickiness(env, stickiness, 'nginx');
  const isHashed = stickiness.by !== 'none' && !(stickiness.by === 'cookie' && makesCookie(env, stickiness.cookie));
  if (isHashed && env.pods.some(({ backup }) => backup)) {
    const wish = `a backup pod with stickiness by ${stickiness.by}`;
    throw unsupported('nginx', wish, 'its hash methods have none: leave backup out');
  }
  if (isHashed && stickiness.by === 'cookie' && !/^\w+$/.test(stickiness.cookie.name)) {
    const wish = `a cookie named ${stickiness.cookie.name}`;
    throw unsupported('nginx', wish, 'its variables have letters, digits and _ only');
  }
}

function servers(env: Environment, { port }: Destination): Line[] {
  const { maxFails, failTimeoutMs } = env.health;
  if (env.pods.length === 0) {
    return [
      '# The Service has one address for all pods: it is kube-proxy that chooses. The name is looked up once, when nginx starts.',
      `server ${serviceHost(env)}:${port.port};`,
    ];
  }
  const passive = `max_fails=${maxFails} fail_timeout=${seconds(failTimeoutMs)}s max_conns=${env.limits.connections}`;
  return [
    `# After ${maxFails} failed attempts within ${seconds(failTimeoutMs)} s a pod rests for as long (health.maxFails, health.failTimeout).`,
    ...env.pods.map((pod) => `server ${addressOf(pod)} ${passive}${weight(pod)}${pod.backup ? ' backup' : ''};`),
  ];
}

const weight = ({ weight: value }: PodAddress): string => (value === 1 ? '' : ` weight=${value}`);

function methodLines(stickiness: Stickiness, env: Environment): Line[] {
  switch (stickiness.by) {
    case 'none':
      return stickiness.balance === 'least' ? ['least_conn;'] : [];
    case 'ip':
      return [because('ip_hash;', 'of IPv4 the first three numbers only: a /24 goes to one pod')];
    case 'header':
      return [because(`hash $${keyOf(stickiness)} consistent;`, 'consistent: a pod more or less moves its share only')];
    case 'session':
      return [because(`hash $${keyOf(stickiness)} consistent;`, 'consistent: a pod more or less moves its share only')];
    case 'cookie':
      return makesCookie(env, stickiness.cookie)
        ? [stickyDirective(stickiness.cookie)]
        : [
            because(
              `hash $${keyOf(stickiness)} consistent;`,
              `nginx has cookies of its own from ${STICKY_VERSION.join('.')}, none of them Partitioned`,
            ),
          ];
  }
}

/** Variable that holds what is hashed. */
function keyOf(stickiness: Exclude<Stickiness, { by: 'none' | 'ip' }>): string {
  if (stickiness.by === 'session') return 'holdfast_session_key';
  if (stickiness.by === 'header') return `${identifier(stickiness.header.toLowerCase())}_key`;
  return `${identifier(stickiness.cookie.name)}_key`;
}

function keyLines(stickiness: Stickiness, env: Environment, notes: Notes): Line[] {
  switch (stickiness.by) {
    case 'none':
    case 'ip':
      return [];
    case 'header': {
      const header = `http_${identifier(stickiness.header.toLowerCase())}`;
      notes.add(`a browser cannot send the header ${stickiness.header} with a WebSocket: its address is used instead`);
      return [
        '# Who sends no such header goes by address.',
        block(`map $${header} $${keyOf(stickiness)}`, `default $${header};`, "''      $remote_addr;"),
        '',
      ];
    }
    case 'session':
      return [
        '# A client names its session when it resumes. One that is new may go anywhere.',
        block(
          `map $arg_${SESSION_PARAMETER} $${keyOf(stickiness)}`,
          `default $arg_${SESSION_PARAMETER};`,
          "''      $request_id;",
        ),
        '',
      ];
    case 'cookie':
      return makesCookie(env, stickiness.cookie) ? [] : cookieMaps(stickiness.cookie, keyOf(stickiness));
  }
}

/** A cookie that is made here and hashed. When its pod is down the ring says who is next, and afterwards it is back. */
function cookieMaps(cookie: CookiePolicy, key: string): Line[] {
  const given = `$cookie_${cookie.name}`;
  const attributes = [
    `Path=${cookie.path}`,
    cookie.maxAgeMs === undefined ? undefined : `Max-Age=${seconds(cookie.maxAgeMs)}`,
    cookie.httpOnly ? 'HttpOnly' : undefined,
    cookie.secure ? 'Secure' : undefined,
    `SameSite=${capital(cookie.sameSite)}`,
    cookie.partitioned ? 'Partitioned' : undefined,
    cookie.domain === undefined ? undefined : `Domain=${cookie.domain}`,
  ].filter((attribute) => attribute !== undefined);
  return [
    '# A client without the cookie is given one, and is placed by it at once.',
    block(`map ${given} $${key}`, `default ${given};`, "''      $request_id;"),
    block(
      `map ${given} $${identifier(cookie.name)}_set`,
      "default '';",
      `''      "${cookie.name}=$request_id; ${attributes.join('; ')}";`,
    ),
    '',
  ];
}

function stickyDirective(cookie: CookiePolicy): string {
  const parts = [
    `sticky cookie ${cookie.name}`,
    cookie.maxAgeMs === undefined ? undefined : `expires=${seconds(cookie.maxAgeMs)}s`,
    `path=${cookie.path}`,
    cookie.httpOnly ? 'httponly' : undefined,
    cookie.secure ? 'secure' : undefined,
    `samesite=${cookie.sameSite}`,
    cookie.domain === undefined ? undefined : `domain=${cookie.domain}`,
  ];
  return `${parts.filter((part) => part !== undefined).join(' ')};`;
}
