// Judges every package as a stranger would get it: packed, unpacked elsewhere, linted, its types resolved, imported.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { root } from './steps.mjs';
import { importableEntries, packages } from './workspace.mjs';

const elsewhere = mkdtempSync(join(tmpdir(), 'holdfast-packages-'));
/** @type {string[]} */
const problems = [];

for (const { folder, manifest } of packages()) {
  const tarball = pack(folder);
  unpack(tarball, manifest);
  problems.push(...(await lint(folder, manifest)), ...(await resolveTypes(tarball, manifest)));
}
for (const { manifest } of packages()) problems.push(...run(manifest));

rmSync(elsewhere, { recursive: true });
for (const problem of problems) console.error(problem);
process.exitCode = problems.length > 0 ? 1 : 0;

/**
 * @param {string} folder
 * @returns {string} the tarball's path
 */
function pack(folder) {
  const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', elsewhere];
  const output = execFileSync('npm', args, { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  return join(elsewhere, JSON.parse(output)[0].filename);
}

/**
 * Installs a tarball without a registry. Only what a package declares is put within its reach.
 * @param {string} tarball
 * @param {import('./workspace.mjs').Manifest} manifest
 */
function unpack(tarball, { name, dependencies, peerDependencies }) {
  const target = join(elsewhere, 'node_modules', name);
  mkdirSync(target, { recursive: true });
  execFileSync('tar', ['-xzf', tarball, '--strip-components=1', '-C', target]);
  for (const dependency of Object.keys({ ...dependencies, ...peerDependencies })) {
    if (isOurs(dependency)) continue;
    const link = join(target, 'node_modules', dependency);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(join(root, 'node_modules', dependency), link);
  }
}

/** @param {string} name */
function isOurs(name) {
  return packages().some(({ manifest }) => manifest.name === name);
}

/**
 * @param {string} folder
 * @param {import('./workspace.mjs').Manifest} manifest
 */
async function lint(folder, { name }) {
  const { messages, pkg } = await publint({ pkgDir: folder, strict: true });
  return messages.map((message) => `${name}: ${formatMessage(message, pkg, { color: false })}`);
}

/**
 * The packages are ESM only, for bundlers and Node: resolution by `require` or by a Node before 16 is not a problem.
 * @param {string} tarball
 * @param {import('./workspace.mjs').Manifest} manifest
 */
async function resolveTypes(tarball, { name }) {
  const result = await checkPackage(createPackageFromTarballData(readFileSync(tarball)));
  if (result.types === false) return [`${name}: has no types`];
  return result.problems
    .filter((problem) => !('resolutionKind' in problem && ['node10', 'node16-cjs'].includes(problem.resolutionKind)))
    .map((problem) => `${name}: ${JSON.stringify(problem)}`);
}

/**
 * Imports every entry and asks every command for its help, in a process that has only the unpacked packages.
 * @param {import('./workspace.mjs').Manifest} manifest
 */
function run(manifest) {
  const imports = importableEntries(manifest).map(([subpath]) => `await import('${join(manifest.name, subpath)}');`);
  const commands = [['--input-type=module', '--eval', imports.join('\n')]];
  for (const file of Object.values(manifest.bin ?? {})) {
    commands.push([join(elsewhere, 'node_modules', manifest.name, file), '--help']);
  }
  return commands.flatMap((args) => {
    try {
      execFileSync(process.execPath, args, { cwd: elsewhere, encoding: 'utf8', stdio: ['ignore', 'ignore', 'pipe'] });
      return [];
    } catch (error) {
      return [
        `${manifest.name} does not run when installed: ${error instanceof Error ? error.message : String(error)}`,
      ];
    }
  });
}
