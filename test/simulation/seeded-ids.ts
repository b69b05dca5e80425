import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import type { Random } from '@holdfast/testing';

/** While `work` runs, ids and tokens are drawn from the seed, too: two traces of one seed are the same, byte for byte. */
export async function withSeededIds<T>(random: Random, work: () => Promise<T>): Promise<T> {
  const { randomBytes } = crypto;
  const seeded = (size: number): Buffer => {
    const bytes = Buffer.allocUnsafe(size);
    for (let i = 0; i < size; i++) bytes[i] = random() * 256;
    return bytes;
  };
  crypto.randomBytes = seeded as typeof randomBytes;
  syncBuiltinESMExports();
  try {
    return await work();
  } finally {
    crypto.randomBytes = randomBytes;
    syncBuiltinESMExports();
  }
}
