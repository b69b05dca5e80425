import { DEFAULT_CONNECT_LIMITS, DEFAULT_POLICY, PRESETS } from '@holdfast/protocol';
import type {
  BreakerPolicy,
  ConnectPolicy,
  CookiePolicy,
  DrainPolicy,
  Health,
  HoldPolicy,
  Keepalive,
  Limits,
  PresetName,
  Resources,
  Rollout,
  Route,
} from './policy.js';

/** What a value is written as. */
export type Unit =
  | 'duration'
  | 'size'
  /** A whole number of at least 0. */
  | 'count'
  /** A whole number of at least 1. */
  | 'positive'
  /** `positive`, or the word `unlimited`. */
  | 'attempts'
  /** 0 to 1. */
  | 'share'
  | 'percent'
  | 'boolean'
  | 'text'
  | 'path'
  /** As Kubernetes writes quantities: `4`, `500m`, `4Gi`. */
  | 'quantity'
  | readonly string[];

export type Value = number | boolean | string;

/** One key of a section of the file: how it is written, what it becomes, and what it is for. */
export interface Key {
  /** As the file has it: without a unit in its name. */
  readonly key: string;
  readonly unit: Unit;
  /** In the unit of the field (milliseconds, bytes); absent for nothing, which is then written `off`. */
  readonly byDefault?: Value;
  /** Where the default depends on the preset. */
  readonly byPreset?: (preset: PresetName) => Value;
  readonly what: string;
}

/** A section: one key for each field of what it becomes. */
export type Section<T> = { readonly [Field in keyof T]-?: Key };

const ms = (key: string, byDefault: number | undefined, what: string): Key => ({
  key,
  unit: 'duration',
  byDefault,
  what,
});

export const KEEPALIVE: Section<Omit<Keepalive, 'application'>> = {
  pingMs: ms('ping', DEFAULT_POLICY.pingMs, 'Sessions in the foreground send a ping after so much silence.'),
  deadMs: ms(
    'dead',
    DEFAULT_POLICY.deadMs,
    'Silence after which the transport of a session is dead. More than `ping`.',
  ),
  backgroundPingMs: ms('backgroundPing', DEFAULT_POLICY.backgroundPingMs, 'As `ping`, while the page is hidden.'),
  backgroundDeadMs: ms('backgroundDead', DEFAULT_POLICY.backgroundDeadMs, 'As `dead`, while the page is hidden.'),
  plainPingMs: ms('plainPing', 30_000, 'Clients without holdfast.v1 get an RFC 6455 ping after so much silence.'),
  plainPongMs: ms('plainPong', 60_000, 'Silence after which such a client is dead. More than `plainPing`.'),
  writeMs: ms('write', 10_000, 'A write that the network does not take for this long ends a transport.'),
};

export const CONNECT: Section<ConnectPolicy> = {
  connectMs: ms('connect', DEFAULT_CONNECT_LIMITS.connectMs, 'Longest opening of a transport by a client.'),
  handshakeMs: ms('handshake', DEFAULT_CONNECT_LIMITS.handshakeMs, 'From the open transport to the welcome, at most.'),
  pingMs: ms('ping', DEFAULT_CONNECT_LIMITS.pingMs, 'Longest wait for the answer to a probe.'),
  closeMs: ms('close', DEFAULT_CONNECT_LIMITS.closeMs, 'From close() to the end, at most.'),
  executionMs: ms('execution', 300_000, 'Longest run of an asynchronous handler.'),
  cleanupMs: ms('cleanup', 30_000, 'How often what is over is cleaned up.'),
  sessionMs: ms('session', DEFAULT_POLICY.sessionMs, 'How long a session lives without a transport.'),
  retryMinMs: ms('retryMin', DEFAULT_POLICY.retryMinMs, 'Lower bound of the backoff of clients.'),
  retryMaxMs: ms('retryMax', DEFAULT_POLICY.retryMaxMs, 'Upper bound of the backoff of clients.'),
  maxAttempts: {
    key: 'attempts',
    unit: 'attempts',
    byPreset: (preset) => PRESETS[preset].maxAttempts,
    what: 'Failed attempts in a row after which a client gives up.',
  },
};

export const BREAKER: Section<BreakerPolicy> = {
  failures: {
    key: 'failures',
    unit: 'positive',
    byPreset: (preset) => PRESETS[preset].breaker.failures,
    what: 'Failures in a row that open the breaker.',
  },
  openMs: {
    key: 'open',
    unit: 'duration',
    byPreset: (preset) => PRESETS[preset].breaker.openMs,
    what: 'How long it stays open before one attempt may try.',
  },
};

export const DRAIN: Section<DrainPolicy> = {
  preStopMs: ms('preStop', 5_000, 'The sleep of `preStop`, before SIGTERM. It is inside `grace`.'),
  propagationMs: ms(
    'propagation',
    5_000,
    'How long a pod serves on after SIGTERM, not ready, until balancers have noticed.',
  ),
  movesPerSecond: {
    key: 'movesPerSecond',
    unit: 'positive',
    byDefault: 500,
    what: 'Sessions that a pod asks to move each second.',
  },
  spreadMs: ms('spread', 500, 'Sessions move at random moments over at least this long.'),
  deadlineMs: ms(
    'deadline',
    25_000,
    'From SIGTERM until what is left is closed with 1012; `propagation` is inside it.',
  ),
  graceMs: ms('grace', 60_000, '`terminationGracePeriodSeconds`: from the beginning of `preStop` to SIGKILL.'),
  maxAgeMs: ms(
    'maxAge',
    undefined,
    'Planned rotation: the longest life of a connection, which is then moved. What outruns a lifetime of a hop.',
  ),
  ageJitter: {
    key: 'jitter',
    unit: 'share',
    byDefault: 0.2,
    what: 'The part of `maxAge` that is random, from 0 to 1.',
  },
};

export const ROLLOUT: Section<Omit<Rollout, 'autoscale'>> = {
  replicas: { key: 'replicas', unit: 'positive', byDefault: 2, what: 'Pods.' },
  maxSurge: { key: 'maxSurge', unit: 'count', byDefault: 1, what: 'Pods beyond `replicas` during a rollout.' },
  maxUnavailable: {
    key: 'maxUnavailable',
    unit: 'count',
    byDefault: 0,
    what: 'Pods that may be missing during a rollout.',
  },
  minReadyMs: ms('minReady', 10_000, 'How long a new pod must be ready before the next one is replaced.'),
  maxDisrupted: {
    key: 'maxDisrupted',
    unit: 'positive',
    byDefault: 1,
    what: 'Pods that a node drain may take at once: the disruption budget.',
  },
};

export const AUTOSCALE: Section<NonNullable<Rollout['autoscale']>> = {
  min: { key: 'min', unit: 'positive', byDefault: 2, what: 'Fewest pods.' },
  max: { key: 'max', unit: 'positive', byDefault: 10, what: 'Most pods.' },
  cpuPercent: { key: 'cpu', unit: 'percent', byDefault: 70, what: 'CPU utilisation to aim at, in percent.' },
  stabilizationMs: ms('stabilization', 600_000, 'Load must be low for this long before a pod is taken away.'),
  scaleDownMs: ms('scaleDown', 300_000, 'At most one pod is taken away in this time.'),
};

export const LIMITS: Section<Limits> = {
  connections: { key: 'connections', unit: 'positive', byDefault: 10_000, what: 'Connections at one pod.' },
  connectionsPerAddress: {
    key: 'connectionsPerAddress',
    unit: 'positive',
    byDefault: 100,
    what: 'Connections from one address.',
  },
  acceptsPerSecond: { key: 'acceptsPerSecond', unit: 'positive', byDefault: 500, what: 'New connections a second.' },
  messageBytes: { key: 'message', unit: 'size', byDefault: 16_777_216, what: 'Largest message.' },
  headerBytes: { key: 'header', unit: 'size', byDefault: 16_384, what: 'All headers of one request.' },
  bodyBytes: { key: 'body', unit: 'size', byDefault: 16_777_216, what: 'Body of a plain request.' },
};

export const RESOURCES: Section<Resources> = {
  cpu: { key: 'cpu', unit: 'quantity', what: 'CPU of one pod, as Kubernetes writes it: `4`, `500m`.' },
  memory: { key: 'memory', unit: 'quantity', what: 'Memory of one pod: `4Gi`.' },
  cpuLimit: { key: 'cpuLimit', unit: 'quantity', what: 'Most CPU.' },
  memoryLimit: { key: 'memoryLimit', unit: 'quantity', what: 'Most memory.' },
  requestMs: ms(
    'request',
    undefined,
    'Longest request, where the platform has one (Cloud Run). For a WebSocket it is a lifetime.',
  ),
};

export const HEALTH: Section<Health> = {
  livePath: { key: 'live', unit: 'path', byDefault: '/healthz', what: 'Path that tells whether the process lives.' },
  readyPath: {
    key: 'ready',
    unit: 'path',
    byDefault: '/readyz',
    what: 'Path that tells whether new connections are wanted.',
  },
  intervalMs: ms('interval', 5_000, 'How often they are asked.'),
  timeoutMs: ms('timeout', 2_000, 'Longest wait for an answer.'),
  maxFails: { key: 'maxFails', unit: 'positive', byDefault: 3, what: 'Failures in a row after which a pod rests.' },
  failTimeoutMs: ms('failTimeout', 10_000, 'For how long it rests.'),
  check: {
    key: 'check',
    unit: ['http', 'websocket', 'off'],
    byDefault: 'http',
    what: 'What the gateway asks a pod: its `ready` path, a WebSocket handshake, or nothing.',
  },
  checkPath: { key: 'checkPath', unit: 'path', byDefault: '/', what: 'Path of the handshake of a `websocket` check.' },
  rise: {
    key: 'rise',
    unit: 'positive',
    byDefault: 2,
    what: 'Checks in a row that must pass before a pod counts as up.',
  },
  fall: {
    key: 'fall',
    unit: 'positive',
    byDefault: 3,
    what: 'Checks in a row that must fail before a pod counts as down.',
  },
  slowStartMs: ms('slowStart', 10_000, 'Over how long a pod that is new or back gets its full share of connections.'),
};

export const COOKIE: Section<Omit<CookiePolicy, 'name'>> = {
  path: { key: 'path', unit: 'path', byDefault: '/', what: 'Path of the cookie.' },
  maxAgeMs: ms('maxAge', undefined, 'How long browsers keep it. Default: until they are closed.'),
  httpOnly: { key: 'httpOnly', unit: 'boolean', byDefault: true, what: 'Whether scripts of the page cannot read it.' },
  secure: { key: 'secure', unit: 'boolean', byDefault: true, what: 'Whether it is sent over TLS only.' },
  sameSite: {
    key: 'sameSite',
    unit: ['strict', 'lax', 'none'],
    byDefault: 'none',
    what: 'Whether pages of other sites make browsers send it. A WebSocket to another site needs `none`.',
  },
  domain: { key: 'domain', unit: 'text', what: 'Domain of the cookie. Default: the host that was asked alone.' },
  partitioned: {
    key: 'partitioned',
    unit: 'boolean',
    byDefault: false,
    what: 'Whether browsers keep it apart for each site that embeds the page.',
  },
  keyFile: {
    key: 'keyFile',
    unit: 'text',
    what: 'File of the keys that sign it at the gateway, one a line, the newest first. Default: drawn at random at its start.',
  },
  persistent: {
    key: 'persistent',
    unit: 'boolean',
    byDefault: true,
    what: 'Whether a client stays with its pod when pods are added.',
  },
};

export const HOLD: Section<HoldPolicy> = {
  waitMs: ms('wait', 30_000, 'Longest that a client is held while there is no pod.'),
  bufferBytes: { key: 'buffer', unit: 'size', byDefault: 1_048_576, what: 'Bound on what waits meanwhile.' },
  replayCount: {
    key: 'replay',
    unit: 'count',
    byDefault: 0,
    what: 'This many of the first messages of the client are given to each new pod again.',
  },
  replayMatch: {
    key: 'replayMatch',
    unit: 'text',
    what: 'And those of its first 32 text messages that match this regular expression.',
  },
  heldCodes: {
    key: 'codes',
    unit: 'text',
    byDefault: '1001 1012 1013',
    what: 'Close codes of a pod that do not reach the client, because another pod takes over.',
  },
  notice: {
    key: 'notice',
    unit: ['off', 'client', 'pod', 'both'],
    byDefault: 'off',
    what: 'Whom a text message tells that another pod has taken over.',
  },
};

/** Limits of a route. What is read from a WebSocket's and a plain request's is not the same by default. */
type RouteTimes = Section<Pick<Route, 'connectMs' | 'readMs' | 'sendMs' | 'maxAgeMs'>>;

export const ROUTE_TIMES: Readonly<Record<Route['kind'], RouteTimes>> = {
  websocket: routeTimes(3_600_000),
  rest: routeTimes(60_000),
};

function routeTimes(readMs: number): RouteTimes {
  return {
    connectMs: ms('connect', 5_000, 'Longest establishing of a connection to a pod. Kernels give up after 75s.'),
    readMs: ms(
      'read',
      readMs,
      'Idle limit: silence of both directions for a WebSocket (default 1h), of the pod for REST (default 1m).',
    ),
    sendMs: ms('send', 60_000, 'Longest that a peer may take no byte of what is sent to it. It is no idle limit.'),
    maxAgeMs: ms('maxAge', undefined, 'Longest life of a connection, which is then moved. Default: that of `drain`.'),
  };
}
