import type { Environment, Health } from '@holdfast/policy';
import type { Clock } from '../clock.js';
import { Checker } from './checker.js';
import type { Pool, PoolOptions } from './pool.js';
import { httpProbe, webSocketProbe } from './probes.js';

/** How the pools of an environment judge their pods. */
export const poolOptionsOf = ({ health, breaker }: Pick<Environment, 'health' | 'breaker'>): PoolOptions => ({
  maxFails: health.maxFails,
  failTimeoutMs: health.failTimeoutMs,
  breaker,
  slowStartMs: health.slowStartMs ?? 10_000,
});

/** Begins to check the pods of a pool as the policy says; `undefined` where it says that they are not checked. */
export function startChecks(pool: Pool, health: Health, clock: Clock, random?: () => number): Checker | undefined {
  const { check, checkPath = '/', readyPath, intervalMs, timeoutMs, rise = 2, fall = 3 } = health;
  if (check === 'off') return undefined;
  const probe = check === 'websocket' ? webSocketProbe(checkPath) : httpProbe(readyPath);
  return new Checker(pool, probe, { intervalMs, timeoutMs, rise, fall }, clock, random);
}
