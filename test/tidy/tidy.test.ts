import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { dependencyProblems, importProblems, unusedProblems } from './arrows.js';
import { type Lockfile, lockfileProblems } from './lockfile.js';
import { type Manifest, manifestProblems, type PackageFolder } from './manifests.js';
import { purityProblems } from './purity.js';
import { shapeProblems } from './shape.js';
import { packageOf, root, textFiles } from './tree.js';

const files = textFiles();
const packages = readdirSync(join(root, 'packages')).map(packageFolder);
const rootManifest = readJson<Manifest>('package.json');

describe('the repository', () => {
  it('keeps imports along the arrows between the packages', () => {
    const manifests = new Map(packages.map(({ folder, manifest }) => [folder, manifest]));
    const problems = files.flatMap((file) => {
      const manifest = manifests.get(packageOf(file) ?? '');
      return manifest === undefined ? [] : importProblems(file, manifest, rootManifest);
    });
    expect(problems).toEqual([]);
  });

  it('declares only dependencies that are arrows and are used', () => {
    const problems = packages.flatMap(({ folder, manifest }) => [
      ...dependencyProblems(folder, manifest),
      ...unusedProblems(folder, manifest, files),
    ]);
    expect(problems).toEqual([]);
  });

  it('keeps clocks, randomness, timers and output out of protocol', () => {
    expect(files.flatMap(purityProblems)).toEqual([]);
  });

  it('has short files, no unfinished notes, no focused or skipped tests, and one h1 in each page', () => {
    expect(files.flatMap(shapeProblems)).toEqual([]);
  });

  it('has exports, commands and references that match the tree', () => {
    expect(packages.flatMap((pkg) => manifestProblems(pkg, packages))).toEqual([]);
  });

  it('has a lockfile that serves every platform, behind any registry', () => {
    expect(lockfileProblems(readJson<Lockfile>('package-lock.json'))).toEqual([]);
  });
});

function packageFolder(folder: string): PackageFolder {
  const prefix = `packages/${folder}/`;
  return {
    folder,
    manifest: readJson<Manifest>(`${prefix}package.json`),
    references: (readJson<{ references?: { path: string }[] }>(`${prefix}tsconfig.json`).references ?? []).map(
      ({ path }) => path,
    ),
    files: files.filter(({ path }) => path.startsWith(prefix)).map(({ path }) => path.slice(prefix.length)),
  };
}

function readJson<T>(path: string): T {
  return JSON.parse(readFileSync(join(root, path), 'utf8')) as T;
}
