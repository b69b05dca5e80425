import { createHash } from 'node:crypto';
import { lstatSync, mkdirSync, realpathSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { errors, HoldfastError } from '@holdfast/store';

/** The longest path of a socket, with its final NUL: 108 bytes on Linux, 104 on macOS and the BSDs. */
const SOCKET_PATH_BYTES = 104;
/** `/`, a process id, `-`, 8 characters and `.sock`. */
const NAME_BYTES = 24;

/**
 * Where the sockets of a store's processes lie, made if it is not there: in the store's directory, or, where the path to it is too
 * long for a socket, in a directory of the system's temporary one that every process finds by the same rule.
 */
export function bellDirectory(storeDirectory: string, temporary = tmpdir()): string {
  const real = realpathSync(storeDirectory);
  const inside = join(real, 'bell');
  if (isShortEnough(inside)) {
    mkdirSync(inside, { recursive: true, mode: 0o700 });
    return inside;
  }
  const name = `holdfast-${createHash('sha256').update(real).digest('hex').slice(0, 16)}`;
  return privateDirectory(isShortEnough(join(temporary, name)) ? join(temporary, name) : join('/tmp', name));
}

function isShortEnough(directory: string): boolean {
  return Buffer.byteLength(directory) + NAME_BYTES < SOCKET_PATH_BYTES;
}

/** Anybody may make a directory in a temporary one: it is used only if it is ours and nobody else's. */
function privateDirectory(path: string): string {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const { uid, mode } = lstatSync(path);
  const isOurs = process.getuid === undefined || (uid === process.getuid() && (mode & 0o077) === 0);
  if (!isOurs) throw new HoldfastError(errors.STORE_FOREIGN, `${path} is open to others`);
  return path;
}
