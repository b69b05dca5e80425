import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { errors, HoldfastError } from '@holdfast/store';

/** Where things are in the first two pages of LMDB's data file, format 2: a page header, then the meta record. */
const META = { magicAt: 24, versionAt: 28, pageSizeAt: 48, freeRootAt: 88, mainRootAt: 136, txnAt: 152, bytes: 160 };
const MAGIC = 0xbeef_c0de;
const VERSION = 2;
const NO_ROOT = 0xffff_ffff_ffff_ffffn;

/**
 * Refuses a data file that LMDB would crash on. It maps the file into memory, so a page that is missing at its end ends the
 * process with SIGBUS instead of giving an error. An empty file or none is a new store.
 */
export function checkDataFile(path: string): void {
  const problem = problemOf(path);
  if (problem !== undefined) throw new HoldfastError(errors.STORE_CORRUPT, `${path} ${problem}`);
}

function problemOf(path: string): string | undefined {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const { size } = fstatSync(file);
    if (size === 0) return undefined;
    const first = readMeta(file, 0);
    if (first === undefined) return 'is no LMDB data file';
    const second = readMeta(file, first.pageSize);
    if (second === undefined) return 'has a damaged second page';
    const { roots, pageSize } = second.txn > first.txn ? second : first;
    const isCut = roots.some((root) => root !== NO_ROOT && (root + 1n) * BigInt(pageSize) > size);
    return isCut ? 'has been cut short' : undefined;
  } finally {
    closeSync(file);
  }
}

function readMeta(file: number, at: number): { pageSize: number; txn: bigint; roots: bigint[] } | undefined {
  const meta = Buffer.alloc(META.bytes);
  if (readSync(file, meta, 0, META.bytes, at) < META.bytes) return undefined;
  if (meta.readUInt32LE(META.magicAt) !== MAGIC || meta.readUInt16LE(META.versionAt) !== VERSION) return undefined;
  return {
    pageSize: meta.readUInt32LE(META.pageSizeAt),
    txn: meta.readBigUInt64LE(META.txnAt),
    roots: [meta.readBigUInt64LE(META.freeRootAt), meta.readBigUInt64LE(META.mainRootAt)],
  };
}
