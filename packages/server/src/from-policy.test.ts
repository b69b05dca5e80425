import { parse, pick, type Environment } from '@holdfast/policy';
import { describe, expect, it } from 'vitest';
import { optionsFromPolicy } from './from-policy.js';
import { sessionOptions } from './options.js';

function environment(keys: string, variables: Record<string, string> = {}): Environment {
  const { policy, problems } = parse(`name: x\nenvironments: {prod: {hosts: [h], routes: [{websocket: /}], ${keys}}}`, {
    variables,
  });
  if (!policy) throw new Error(JSON.stringify(problems));
  return pick(policy, undefined);
}

describe('the options of a server from a policy', () => {
  it('are those of the server itself where the policy says nothing, but for what a policy bounds by default', () => {
    const own = sessionOptions({});
    const from = sessionOptions(optionsFromPolicy(environment('')));
    expect(from.policy).toEqual(own.policy);
    expect(from.keepalive).toEqual(own.keepalive);
    for (const time of ['handshakeMs', 'closeMs', 'writeMs', 'executionMs'] as const)
      expect(from[time]).toBe(own[time]);
    expect(from.rotation).toBeUndefined();
  });

  it('carry every number to where it counts, as data that survives a message to another process', () => {
    const options = optionsFromPolicy(
      environment(
        `keepalive: {ping: 3s, dead: 9s, backgroundPing: 20s, backgroundDead: 41s, plainPing: 21s, plainPong: 43s, write: 7s},
        connect: {handshake: 8s, close: 6s, execution: 5m, cleanup: 11s, session: 1h, retryMin: 1s, retryMax: 20s},
        limits: {connections: 7, acceptsPerSecond: 6, message: 1MiB}, breaker: {failures: 2, open: 4s}, drain: {maxAge: 1h, jitter: 0.1}`,
      ),
    );
    expect(JSON.parse(JSON.stringify(options))).toEqual(options);
    expect(sessionOptions(options)).toMatchObject({
      policy: {
        pingMs: 3_000,
        deadMs: 9_000,
        backgroundPingMs: 20_000,
        backgroundDeadMs: 41_000,
        maxPayloadBytes: 1_048_576,
        sessionMs: 3_600_000,
        retryMinMs: 1_000,
        retryMaxMs: 20_000,
      },
      keepalive: { pingMs: 21_000, pongMs: 43_000, writeMs: 7_000 },
      admission: { maxSessions: 7, acceptsPerSecond: 6, breaker: { failures: 2, openMs: 4_000 } },
      rotation: { maxAgeMs: 3_600_000, ageJitter: 0.1 },
      handshakeMs: 8_000,
      closeMs: 6_000,
      writeMs: 7_000,
      executionMs: 300_000,
      cleanupMs: 11_000,
    });
  });

  it('follow the variables that go before the file', () => {
    const variables = {
      WEBSOCKET_HEARTBEAT_INTERVAL: '20',
      WEBSOCKET_HEARTBEAT_TIMEOUT: '45',
      WEBSOCKET_CLOSE_TIMEOUT: '2.5',
    };
    const { policy, keepalive, closeMs } = optionsFromPolicy(environment('', variables));
    expect([policy.pingMs, policy.deadMs, keepalive.pingMs, keepalive.pongMs, closeMs]).toEqual([
      20_000, 45_000, 20_000, 45_000, 2_500,
    ]);
  });
});
