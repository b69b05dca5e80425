import { describe, expect, it } from 'vitest';
import { dependencyProblems, importProblems, unusedProblems } from './arrows.js';
import { lockfileProblems } from './lockfile.js';
import { type Manifest, manifestProblems } from './manifests.js';
import { purityProblems } from './purity.js';
import { shapeProblems } from './shape.js';

// A checker that cannot fail proves nothing: each of these judges a bad sample, and a good one that looks like it.

describe('importProblems', () => {
  const manifest = {
    dependencies: { '@holdfast/protocol': '0.1.0', ws: '8', lmdb: '3' },
    peerDependencies: { vitest: '4' },
  };
  const rootManifest = { devDependencies: { vitest: '4', 'fast-check': '4' } };
  const problems = (path: string, text: string) => importProblems({ path, text }, manifest, rootManifest);

  it.each([
    ["import { x } from './x.js'"],
    ["import type { x } from '@holdfast/protocol'"],
    ["export * from '@holdfast/protocol/testing'"],
    ["import { readFile } from 'node:fs/promises'"],
    ["import ws from 'ws'"],
    ['// import "lmdb"\nconst text = "import(\'lmdb\')"'],
  ])('accepts %s in client', (text) => {
    expect(problems('packages/client/src/a.ts', text)).toEqual([]);
  });

  it.each([
    ["import { x } from './x'", 'must end in .js'],
    ["import { x } from './x.ts'", 'must end in .js'],
    ["import { x } from '../../protocol/src/x.js'", 'leaves the source of its package'],
    ["import { x } from '../package.json'", 'must end in .js'],
    ["import { open } from 'lmdb'", 'is not an arrow of client'],
    ["const a = await import('lmdb')", 'is not an arrow of client'],
    ["type A = import('lmdb').RootDatabase", 'is not an arrow of client'],
    ["export { open } from 'lmdb'", 'is not an arrow of client'],
    ["import 'lmdb/sub'", 'is not an arrow of client'],
    ["import { z } from 'zod'", 'is not in the dependencies'],
    ["import { s } from '@holdfast/server'", 'is not in the dependencies'],
    ["import { readFile } from 'fs'", 'must be written with node:'],
    ["import { it } from 'vitest'", 'is not an arrow of client'],
    ['const name = "x"; const a = await import(name)', 'is not in the dependencies'],
  ])('refuses %s in client', (text, reason) => {
    expect(problems('packages/client/src/a.ts', text)).toEqual([expect.stringContaining(reason)]);
  });

  it('accepts a name that is known only when it runs in the command, which runs modules of its users', () => {
    expect(problems('packages/cli/src/a.ts', 'const a = await import(path)')).toEqual([]);
  });

  it('refuses anything but its own files in protocol', () => {
    const text = "import 'node:crypto';\nimport 'ws';\nimport './x.js';";
    expect(problems('packages/protocol/src/a.ts', text)).toEqual([
      "packages/protocol/src/a.ts:1: 'node:crypto' is not for protocol, which does no I/O",
      "packages/protocol/src/a.ts:2: 'ws' is not an arrow of protocol",
    ]);
  });

  it('lets a test import siblings and the tools of the root, but nothing undeclared', () => {
    const text = "import 'vitest';\nimport 'fast-check';\nimport '@holdfast/testing';\nimport 'zod';";
    expect(problems('packages/protocol/src/a.test.ts', text)).toEqual([expect.stringContaining("'zod'")]);
  });

  it('lets the contract suite of a store import vitest, and no other file of it', () => {
    expect(problems('packages/store/src/contract.ts', "import 'vitest'")).toEqual([]);
    expect(problems('packages/store/src/memory.ts', "import 'vitest'")).toHaveLength(1);
  });
});

describe('dependencyProblems', () => {
  it('accepts an arrow and its types', () => {
    expect(dependencyProblems('server', { dependencies: { ws: '8', '@types/ws': '8' } })).toEqual([]);
  });

  it('refuses a dependency that is no arrow, and a package without arrows', () => {
    expect(dependencyProblems('protocol', { dependencies: { ws: '8' } })).toHaveLength(1);
    expect(dependencyProblems('newcomer', {})).toHaveLength(1);
  });
});

describe('unusedProblems', () => {
  const manifest = { dependencies: { ws: '8', '@types/ws': '8', '@holdfast/store': '1' } };
  const file = (name: string, text: string) => ({ path: `packages/server/src/${name}`, text });

  it('refuses a dependency that only a test imports', () => {
    const files = [file('a.ts', "import 'ws'"), file('a.test.ts', "import '@holdfast/store'")];
    expect(unusedProblems('server', manifest, files)).toEqual([expect.stringContaining('@holdfast/store')]);
  });

  it('accepts dependencies that are used by any entry, and a package that is not begun', () => {
    const files = [file('a.ts', "import 'ws';\nimport '@holdfast/store/contract';")];
    expect(unusedProblems('server', manifest, files)).toEqual([]);
    expect(unusedProblems('server', manifest, [file('index.ts', 'export {};')])).toEqual([]);
  });
});

describe('purityProblems', () => {
  const problems = (text: string, path = 'packages/protocol/src/a.ts') => purityProblems({ path, text });

  it.each([
    ['const a = Date.now()', 'Date'],
    ['const a = new Date()', 'Date'],
    ['function f(a: Date) {}', 'Date'],
    ['performance.now()', 'performance'],
    ['Math.random()', 'Math.random'],
    ["Math['random']()", 'Math.random'],
    ['const { random } = Math', 'Math.random'],
    ['crypto.randomUUID()', 'crypto'],
    ['setTimeout(f, 1)', 'setTimeout'],
    ['setInterval(f, 1)', 'setInterval'],
    ['console.log(1)', 'console'],
    ['`${process.pid}`', 'process'],
    ['const a = { process }', 'process'],
    ['globalThis.Date.now()', 'globalThis'],
  ])('refuses %s', (text, name) => {
    expect(problems(text)).toEqual([`packages/protocol/src/a.ts:1: protocol must not use ${name}`]);
  });

  it.each([
    ['// Date.now() and Math.random()'],
    ['/** process */ const a = "console.log(Date)"'],
    ['const a = `setTimeout`'],
    ['const a = /Date/'],
    ['machine.process(frame)'],
    ['const a = { crypto: 1, process() {} }'],
    ['interface A { performance: number }'],
    ['Math.max(1, 2)'],
  ])('accepts %s', (text) => {
    expect(problems(text)).toEqual([]);
  });

  it('judges only the source of protocol, its testing entry included', () => {
    expect(problems('Date.now()', 'packages/protocol/src/a.test.ts')).toEqual([]);
    expect(problems('Date.now()', 'packages/server/src/a.ts')).toEqual([]);
    expect(problems('Date.now()', 'packages/protocol/src/testing/pair.ts')).toHaveLength(1);
  });
});

describe('shapeProblems', () => {
  const problems = (path: string, text: string) => shapeProblems({ path, text });

  it('limits a file to 500 lines', () => {
    expect(problems('scripts/a.mjs', 'a\n'.repeat(500))).toEqual([]);
    expect(problems('scripts/a.mjs', 'a\n'.repeat(501))).toHaveLength(1);
  });

  it.each(['TO' + 'DO', 'FIX' + 'ME'])('refuses the note %s', (word) => {
    expect(problems('README.md', `# Title\n\n${word}: later\n`)).toEqual(['README.md:3: an unfinished note']);
    expect(problems('a.ts', `const ${word}S = 1; // methods`)).toEqual([]);
  });

  it('counts the first-level headings of a page, not the comments in its code', () => {
    expect(problems('a.md', '# One\n\n```sh\n# not a heading\n```\n\n## Two\n')).toEqual([]);
    expect(problems('a.md', '# One\n\n# Two\n')).toHaveLength(1);
    expect(problems('a.md', 'No heading\n')).toHaveLength(1);
  });

  it.each([
    'it.only("a", f)',
    'describe.skip("a", f)',
    'test.concurrent.only("a", f)',
    'it.skipIf(a)("b", f)',
    'it.todo("a")',
  ])('refuses %s', (text) => {
    expect(problems('packages/server/src/a.test.ts', text)).toHaveLength(1);
  });

  it.each(['// it.only("a", f)', 'it("says .only and it.skip", f)', 'list.skip(1)'])('accepts %s', (text) => {
    expect(problems('packages/server/src/a.test.ts', text)).toEqual([]);
  });
});

describe('manifestProblems', () => {
  const entry = (stem: string) => ({
    'holdfast-source': `./src/${stem}.ts`,
    types: `./dist/${stem}.d.ts`,
    default: `./dist/${stem}.js`,
  });
  const protocol = {
    folder: 'protocol',
    manifest: { name: '@holdfast/protocol', version: '1', exports: {} },
    references: [],
    files: [],
  };
  const problems = (manifest: Partial<Manifest>, references: string[] = []) => {
    const complete = { name: '@holdfast/client', version: '1', exports: {}, ...manifest };
    const pkg = {
      folder: 'client',
      manifest: complete,
      references,
      files: ['src/index.ts', 'src/testing/index.ts', 'schema.json'],
    };
    return manifestProblems(pkg, [protocol, pkg]);
  };

  it('accepts entries that mirror the tree', () => {
    const data = { './schema.json': './schema.json', './package.json': './package.json' };
    const exports = { '.': entry('index'), './testing': entry('testing/index'), ...data };
    expect(problems({ exports })).toEqual([]);
  });

  it('accepts another file for browsers, before the one for everybody else', () => {
    const { default: node, ...conditions } = entry('index');
    const browser = './dist/testing/index.js';
    expect(problems({ exports: { '.': { ...conditions, browser, default: node } } })).toEqual([]);
    expect(problems({ exports: { '.': { ...conditions, default: node, browser } } })).toHaveLength(1);
    expect(problems({ exports: { '.': { ...conditions, browser: './dist/none.js', default: node } } })).toHaveLength(1);
  });

  it.each([
    ['a file that does not exist', { './x': entry('x') }],
    ['another name than the file', { './tools': entry('testing/index') }],
    ['conditions in another order', { '.': Object.fromEntries(Object.entries(entry('index')).reverse()) }],
    ['no source', { '.': './dist/index.js' }],
    ['data that does not exist', { './data.json': './data.json' }],
    ['data under another name', { './schema.json': './src/schema.json' }],
  ])('refuses an entry with %s', (_, exports: Manifest['exports']) => {
    expect(problems({ exports })).toHaveLength(1);
  });

  it('refuses a command without a source', () => {
    expect(problems({ bin: { holdfast: './dist/main.js' } })).toHaveLength(1);
  });

  it('refuses references that are not the dependencies', () => {
    const dependencies = { '@holdfast/protocol': '1' };
    expect(problems({ dependencies }, ['../protocol'])).toEqual([]);
    expect(problems({ dependencies })).toEqual(['packages/client: tsconfig.json does not refer to ../protocol']);
    expect(problems({}, ['../protocol'])).toHaveLength(1);
  });
});

describe('lockfileProblems', () => {
  const parent = { optionalDependencies: { 'a-linux-x64': '1' } };

  it('accepts an optional package that is locked at the root or beside its parent', () => {
    expect(
      lockfileProblems({ packages: { '': {}, 'node_modules/a': parent, 'node_modules/a-linux-x64': {} } }),
    ).toEqual([]);
    const nested = { 'node_modules/b/node_modules/a': parent, 'node_modules/b/node_modules/a-linux-x64': {} };
    expect(lockfileProblems({ packages: nested })).toEqual([]);
  });

  it('refuses an optional package that is not locked', () => {
    expect(lockfileProblems({ packages: { '': {}, 'node_modules/a': parent } })).toHaveLength(1);
    expect(lockfileProblems({ packages: { '': parent } })).toHaveLength(1);
  });

  it('refuses the address of a registry, and accepts a workspace', () => {
    expect(
      lockfileProblems({ packages: { 'node_modules/a': { resolved: 'https://registry.example/a.tgz' } } }),
    ).toHaveLength(1);
    expect(lockfileProblems({ packages: { 'node_modules/a': { resolved: 'packages/a' } } })).toEqual([]);
  });
});
