import { readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Source } from './source.js';

/** Largest file that is read, 64 MiB: configurations that people wrote are a thousandth of it. */
export const FILE_BYTES_MAX = 0x400_0000;

/** Where files come from. What cannot be read is a reason in words, never an exception. */
export interface Files {
  read(path: string): Source | { readonly unreadable: string; readonly isMissing: boolean };
  /** Names in a directory, sorted, or undefined if it is none. A name that ends in `/` is a directory. */
  list(path: string): readonly string[] | undefined;
  /** The one name of what may have several (symbolic links). */
  identity(path: string): string;
}

/** The files of this machine. */
export const disk: Files = {
  read(path) {
    try {
      const facts = statSync(path);
      // A pipe or a device may never end.
      if (!facts.isFile()) return { unreadable: 'it is no regular file', isMissing: false };
      if (facts.size > FILE_BYTES_MAX) {
        return { unreadable: `it is larger than ${FILE_BYTES_MAX / 0x10_0000} MiB`, isMissing: false };
      }
      return Source.fromBytes(path, readFileSync(path));
    } catch (error) {
      return whyUnreadable(error);
    }
  },
  list(path) {
    try {
      return readdirSync(path, { withFileTypes: true })
        .map((entry) => (isDirectory(path, entry) ? `${entry.name}/` : entry.name))
        .sort();
    } catch {
      return undefined;
    }
  },
  identity(path) {
    try {
      return realpathSync(path);
    } catch {
      return path;
    }
  },
};

function isDirectory(
  parent: string,
  entry: { name: string; isDirectory(): boolean; isSymbolicLink(): boolean },
): boolean {
  if (!entry.isSymbolicLink()) return entry.isDirectory();
  return statSync(join(parent, entry.name), { throwIfNoEntry: false })?.isDirectory() ?? false;
}

function whyUnreadable(error: unknown): { unreadable: string; isMissing: boolean } {
  const code = (error as { code?: unknown }).code;
  if (code === 'ENOENT' || code === 'ENOTDIR') return { unreadable: 'it does not exist', isMissing: true };
  if (code === 'EACCES' || code === 'EPERM') return { unreadable: 'this user may not read it', isMissing: false };
  return { unreadable: error instanceof Error ? error.message : String(error), isMissing: false };
}

/** Files in memory, by path. */
export function memoryFiles(texts: Readonly<Record<string, string>>): Files {
  return {
    read: (path) => {
      const text = Object.hasOwn(texts, path) ? texts[path] : undefined;
      return text === undefined ? { unreadable: 'it does not exist', isMissing: true } : new Source(path, text);
    },
    list: (path) => {
      const prefix = path.endsWith('/') ? path : `${path}/`;
      const inside = Object.keys(texts)
        .filter((name) => name.startsWith(prefix))
        .map((name) => name.slice(prefix.length).replace(/\/.*/, '/'));
      return inside.length === 0 ? undefined : [...new Set(inside)].sort();
    },
    identity: (path) => path,
  };
}
