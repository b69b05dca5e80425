import type { Environment } from '@holdfast/policy';
import type { ServerOptions } from './options.js';

/** Those options of a server that a policy has something to say about. */
export type PolicyOptions = Required<
  Pick<
    ServerOptions,
    'policy' | 'admission' | 'keepalive' | 'handshakeMs' | 'closeMs' | 'writeMs' | 'executionMs' | 'cleanupMs'
  >
> &
  Pick<ServerOptions, 'rotation'>;

/**
 * The options of a server that takes its numbers from `holdfast.yaml`: `new WebSocketServer({ ...optionsFromPolicy(environment), port })`.
 * Clients take theirs from the welcome, so they follow. The result is plain data.
 */
export function optionsFromPolicy({ keepalive, connect, limits, breaker, drain }: Environment): PolicyOptions {
  return {
    policy: {
      pingMs: keepalive.pingMs,
      deadMs: keepalive.deadMs,
      backgroundPingMs: keepalive.backgroundPingMs,
      backgroundDeadMs: keepalive.backgroundDeadMs,
      maxPayloadBytes: limits.messageBytes,
      sessionMs: connect.sessionMs,
      retryMinMs: connect.retryMinMs,
      retryMaxMs: connect.retryMaxMs,
    },
    admission: { maxSessions: limits.connections, acceptsPerSecond: limits.acceptsPerSecond, breaker },
    keepalive: { pingMs: keepalive.plainPingMs, pongMs: keepalive.plainPongMs, writeMs: keepalive.writeMs },
    handshakeMs: connect.handshakeMs,
    closeMs: connect.closeMs,
    writeMs: keepalive.writeMs,
    executionMs: connect.executionMs,
    cleanupMs: connect.cleanupMs,
    ...(drain.maxAgeMs !== undefined && { rotation: { maxAgeMs: drain.maxAgeMs, ageJitter: drain.ageJitter } }),
  };
}
