import { closeSync, fsyncSync, openSync, readdirSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { errors, HoldfastError } from '@holdfast/store';

const NAME = 'holdfast.json';
const STORE = 'holdfast-lmdb';
/** Raised with every change to keys or records that an older version would misread. */
const FORMAT = 1;
/** What is made before the marker, by us or by who opens the store at the same time, and what a new volume has. */
const MAY_BE_THERE = /^(?:gate-|bell$|holdfast\.json|lost\+found$|\.)/;

/** What the directory says of itself. */
export interface Marker {
  readonly store: typeof STORE;
  readonly format: number;
  /** The run of the machine in which commits may not have reached the disk; absent when all have. */
  readonly unflushed?: string;
}

/** Reads the marker of a directory, or makes one out of an empty directory. Refuses what is not ours or too new. */
export function readMarker(directory: string): Marker {
  const text = readText(join(directory, NAME));
  if (text === undefined) {
    const others = readdirSync(directory).filter((name) => !MAY_BE_THERE.test(name));
    if (others.length > 0) throw new HoldfastError(errors.STORE_FOREIGN, `${directory} has ${others[0]}`);
    return { store: STORE, format: FORMAT };
  }
  const marker = parse(text);
  if (marker?.store !== STORE || !Number.isInteger(marker.format)) {
    throw new HoldfastError(errors.STORE_FOREIGN, `${NAME} in ${directory} is not of a store`);
  }
  if (marker.format > FORMAT) {
    throw new HoldfastError(errors.STORE_NEWER, `format ${marker.format}, this version knows ${FORMAT}`);
  }
  return marker;
}

/** Writes the marker so that after a power loss either the old or the new one is there, and the new one once this returns. */
export function writeMarker(directory: string, marker: Marker): void {
  const path = join(directory, NAME);
  const written = openSync(`${path}.new`, 'w', 0o600);
  writeSync(written, `${JSON.stringify(marker)}\n`);
  fsyncSync(written);
  closeSync(written);
  renameSync(`${path}.new`, path);
  flushNames(directory);
}

/** Makes sure that files that were made or renamed here are found by their names after a power loss. */
export function flushNames(directory: string): void {
  const folder = openSync(directory, 'r');
  fsyncSync(folder);
  closeSync(folder);
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function parse(text: string): Marker | undefined {
  try {
    return JSON.parse(text) as Marker;
  } catch {
    return undefined;
  }
}
