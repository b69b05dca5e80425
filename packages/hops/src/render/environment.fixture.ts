import type { Environment, HopUse, Policy, Route, ServicePort, Stickiness } from '@holdfast/policy';

/** A port, the only one of the service. */
export const HTTP: ServicePort = { name: 'http', port: 80, targetPort: 8080, protocol: 'http' };

export const COOKIE: Stickiness = {
  by: 'cookie',
  cookie: {
    name: 'SERVERID',
    path: '/',
    maxAgeMs: 86_400_000,
    httpOnly: true,
    secure: true,
    sameSite: 'none',
    persistent: true,
  },
};

export const NOT_STICKY: Stickiness = { by: 'none', balance: 'round-robin' };

export function hop(kind: string, options: Record<string, string | number | boolean> = {}): HopUse {
  return { kind, name: kind, clocksMs: new Map(), options: new Map(Object.entries(options)) };
}

export function route(path: string, more: Partial<Route> = {}): Route {
  return {
    kind: 'websocket',
    path,
    match: 'prefix',
    hosts: [],
    port: HTTP,
    connectMs: 5000,
    readMs: 3_600_000,
    sendMs: 60_000,
    carry: 'auto',
    hold: { waitMs: 30_000, bufferBytes: 1_048_576, replayCount: 0, heldCodes: '1001 1012 1013', notice: 'off' },
    stickiness: NOT_STICKY,
    ...more,
  };
}

/** Pods on loopback. */
export const pods = (...ports: number[]): Environment['pods'] =>
  ports.map((port) => ({ host: '127.0.0.1', port, weight: 1, backup: false }));

/** An environment with every default of the type, and a WebSocket at `/ws` beside REST at `/api`. */
export function environment(more: Partial<Environment> = {}): Environment {
  return {
    name: 'prod',
    preset: 'production',
    namespace: 'default',
    hosts: ['api.example.com'],
    service: { name: 'chat', ports: [HTTP], port: HTTP },
    pods: [],
    hops: [],
    routes: [route('/ws'), route('/api', { kind: 'rest', readMs: 60_000 })],
    keepalive: {
      pingMs: 2000,
      deadMs: 4000,
      backgroundPingMs: 25_000,
      backgroundDeadMs: 50_000,
      plainPingMs: 30_000,
      plainPongMs: 60_000,
      writeMs: 10_000,
    },
    connect: {
      connectMs: 10_000,
      handshakeMs: 15_000,
      pingMs: 5000,
      closeMs: 10_000,
      executionMs: 300_000,
      cleanupMs: 30_000,
      sessionMs: 600_000,
      retryMinMs: 500,
      retryMaxMs: 30_000,
      maxAttempts: Infinity,
    },
    stickiness: NOT_STICKY,
    drain: {
      preStopMs: 5000,
      propagationMs: 5000,
      movesPerSecond: 500,
      spreadMs: 500,
      deadlineMs: 25_000,
      graceMs: 60_000,
      ageJitter: 0.2,
    },
    rollout: { replicas: 3, maxSurge: 1, maxUnavailable: 0, minReadyMs: 0, maxDisrupted: 1 },
    limits: {
      connections: 10_000,
      connectionsPerAddress: 100,
      acceptsPerSecond: 500,
      messageBytes: 16_777_216,
      headerBytes: 16_384,
      bodyBytes: 16_777_216,
    },
    breaker: { failures: 5, openMs: 60_000 },
    resources: {},
    health: {
      livePath: '/healthz',
      readyPath: '/readyz',
      intervalMs: 5000,
      timeoutMs: 2000,
      maxFails: 3,
      failTimeoutMs: 10_000,
    },
    gateway: {
      listen: [],
      trustedProxies: [],
      discovery: { from: 'static' },
      accessLog: 'json',
      errorBodies: 'json',
    },
    ...more,
  };
}

export const policyOf = (...environments: Environment[]): Policy => ({
  path: '/somewhere/policy.yaml',
  name: 'chat',
  environments: new Map(environments.map((env) => [env.name, env])),
});
