import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './steps.mjs';

/**
 * @typedef {object} Manifest the parts of a package.json that the scripts and the tidy test read
 * @property {string} name
 * @property {string} version
 * @property {Record<string, string | Record<string, string>>} exports
 * @property {Record<string, string>} [bin]
 * @property {string[]} files
 * @property {Record<string, string>} [dependencies]
 * @property {Record<string, string>} [peerDependencies]
 */

/**
 * Every workspace package, with its absolute folder.
 * @returns {{ folder: string, manifest: Manifest }[]}
 */
export function packages() {
  const parent = join(root, 'packages');
  return readdirSync(parent).map((name) => {
    const folder = join(parent, name);
    return { folder, manifest: JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) };
  });
}

/**
 * The entries a program can import, as [subpath, file in dist].
 * @param {Manifest} manifest
 * @returns {[string, string][]}
 */
export function importableEntries(manifest) {
  return Object.entries(manifest.exports).flatMap(([subpath, target]) =>
    typeof target === 'object' && target['default'] !== undefined ? [[subpath, target['default']]] : [],
  );
}
