import type { Environment } from '@holdfast/policy';
import type { PoolOptions } from './pool.js';

/** How the pools of an environment judge their pods. */
export const poolOptionsOf = ({ health, breaker }: Pick<Environment, 'health' | 'breaker'>): PoolOptions => ({
  maxFails: health.maxFails,
  failTimeoutMs: health.failTimeoutMs,
  breaker,
  slowStartMs: health.slowStartMs ?? 10_000,
});
