import { errors, HoldfastError } from '@holdfast/store';

const VERSION_MIN = 7;

/** Judges from what INFO says whether the server can be used, and as what it was named. */
export function checkServer(info: string, asCluster = false): void {
  const field = (name: string): string => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1] ?? '';
  const isCluster = field('cluster_enabled') === '1' || field('redis_mode') === 'cluster';
  if (isCluster && !asCluster) throw new HoldfastError(errors.STORE_CLUSTER);
  if (asCluster && !isCluster) throw new HoldfastError(errors.STORE_NO_CLUSTER);
  const version = field('redis_version');
  if (Number.parseInt(version, 10) < VERSION_MIN) throw new HoldfastError(errors.STORE_VERSION, version);
  // Keys belong together: one that is missing damages a stream. Those with an expiry remember which batches were applied.
  const policy = field('maxmemory_policy');
  if (field('maxmemory') !== '0' && policy !== 'noeviction') throw new HoldfastError(errors.STORE_EVICTS, policy);
}
