import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { MARKER, type RenderedFile } from '@holdfast/hops';
import { errors, HoldfastError } from '@holdfast/store';

/** How a file on disk is not up to date. */
export type Staleness = 'missing' | 'differs' | 'leftover';

export interface Stale {
  readonly path: string;
  readonly state: Staleness;
}

/**
 * Writes all files below a directory, or none: what somebody else wrote is looked for first. Each file is replaced as a whole.
 *
 * @returns the paths of the files
 * @throws HoldfastError `HF_RENDER_FILE` for a file without the marker of holdfast, unless it is forced
 */
export async function write(directory: string, files: readonly RenderedFile[], isForced: boolean): Promise<string[]> {
  const targets = files.map((file) => ({ file, path: join(directory, file.path) }));
  if (!isForced) {
    for (const { path } of targets) {
      const text = await textOf(path);
      if (text !== undefined && !text.startsWith(MARKER)) throw new HoldfastError(errors.RENDER_FILE, path);
    }
  }
  for (const { file, path } of targets) await replace(path, file.text);
  return targets.map(({ path }) => path);
}

/** What differs between the files and those below a directory, with those that an earlier policy rendered and this does not. */
export async function compare(directory: string, files: readonly RenderedFile[]): Promise<Stale[]> {
  const stale: Stale[] = [];
  for (const file of files) {
    const path = join(directory, file.path);
    const text = await textOf(path);
    if (text !== file.text) stale.push({ path, state: text === undefined ? 'missing' : 'differs' });
  }
  const known = new Set(files.map(({ path }) => join(directory, path)));
  for (const target of new Set(files.map((file) => file.target))) {
    for (const path of await filesBelow(join(directory, target))) {
      if (!known.has(path) && (await textOf(path))?.startsWith(MARKER)) stale.push({ path, state: 'leftover' });
    }
  }
  return stale;
}

async function replace(path: string, text: string): Promise<void> {
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(temporary, text);
    await rename(temporary, path);
  } catch (error) {
    throw new HoldfastError(errors.OPTION, `--out: ${path} cannot be written`, { cause: error });
  }
}

async function textOf(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new HoldfastError(errors.OPTION, `--out: ${path} cannot be read`, { cause: error });
  }
}

async function filesBelow(directory: string): Promise<string[]> {
  try {
    const entries = await readdir(directory, { recursive: true, withFileTypes: true });
    return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  } catch {
    return [];
  }
}
