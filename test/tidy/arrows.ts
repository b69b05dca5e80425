import { builtinModules } from 'node:module';
import { posix } from 'node:path';
import ts from 'typescript';
import { at, isTest, packageOf, parse, type TextFile, visit } from './tree.js';

/** What the source of each package may import, by folder. Arrows point one way; ARCHITECTURE.md says why. */
const arrows: Record<string, string[] | 'anything declared'> = {
  protocol: [],
  client: ['@holdfast/protocol', 'ws'],
  server: ['@holdfast/protocol', '@holdfast/store', '@holdfast/policy', 'ws'],
  store: ['@holdfast/protocol'],
  'store-lmdb': ['@holdfast/store', 'lmdb'],
  'store-redis': ['@holdfast/store', 'redis'],
  policy: ['@holdfast/protocol', 'zod', 'yaml'],
  hops: ['@holdfast/policy', '@holdfast/protocol', 'yaml'],
  gateway: [
    '@holdfast/protocol',
    '@holdfast/policy',
    'ws',
    'pino',
    'prom-client',
    'ipaddr.js',
    '@kubernetes/client-node',
    'yaml',
  ],
  observe: ['@holdfast/policy', 'prom-client'],
  console: [],
  testing: ['@holdfast/protocol', '@holdfast/store'],
  cli: 'anything declared',
};

/** A contract suite is test code that is published, so that a store written elsewhere can be judged. */
const contractSuite = /\/src\/(?:.+\/)?contract(?:[-./])/;
const contractTools = ['vitest', 'fast-check'];

const builtins = new Set(builtinModules);

export interface Dependencies {
  dependencies?: Record<string, string>;
  peerDependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
}

/** What is wrong with the imports of one source file of a package. */
export function importProblems(file: TextFile, manifest: Dependencies, rootManifest: Dependencies): string[] {
  const folder = packageOf(file);
  if (folder === undefined) return [];
  const declared = { ...manifest.dependencies, ...manifest.peerDependencies };
  if (isTest(file)) Object.assign(declared, rootManifest.devDependencies);
  return importsOf(file).flatMap(({ specifier, where, computed }) => {
    // The command runs modules of its users, whose names it cannot know.
    if (computed && folder === 'cli') return [];
    const problem = specifier.startsWith('.')
      ? relativeProblem(file.path, specifier)
      : packageProblem({ file, folder, specifier, declared });
    return problem === undefined ? [] : [`${where}: '${specifier}' ${problem}`];
  });
}

function relativeProblem(path: string, specifier: string): string | undefined {
  if (!specifier.endsWith('.js')) return 'must end in .js';
  const target = posix.join(posix.dirname(path), specifier);
  const ownSource = path.split('/').slice(0, 3).join('/');
  return target.startsWith(`${ownSource}/`)
    ? undefined
    : 'leaves the source of its package; import the package by name';
}

interface PackageImport {
  file: TextFile;
  folder: string;
  specifier: string;
  declared: Record<string, string>;
}

function packageProblem({ file, folder, specifier, declared }: PackageImport): string | undefined {
  if (specifier.startsWith('node:') || builtins.has(specifier)) {
    if (!specifier.startsWith('node:')) return 'must be written with node:';
    return folder === 'protocol' && !isTest(file) ? 'is not for protocol, which does no I/O' : undefined;
  }
  const name = packageName(specifier);
  // Siblings are linked into the root by npm, so a test reaches any of them.
  if (isTest(file) && isOurs(name)) return undefined;
  if (!Object.hasOwn(declared, name)) return 'is not in the dependencies of package.json';
  return isTest(file) || mayImport(folder, name, file.path) ? undefined : `is not an arrow of ${folder}`;
}

function mayImport(folder: string, name: string, path: string): boolean {
  const allowed = arrows[folder] ?? [];
  if (allowed === 'anything declared' || allowed.includes(name)) return true;
  return contractSuite.test(path) && contractTools.includes(name);
}

function isOurs(name: string): boolean {
  return name === 'holdfast' || name.startsWith('@holdfast/');
}

/** What is wrong with the dependencies a package declares: each must be an arrow, or the types of one. */
export function dependencyProblems(folder: string, manifest: Dependencies): string[] {
  const allowed = arrows[folder];
  if (allowed === undefined) return [`packages/${folder} has no entry in the table of arrows`];
  if (allowed === 'anything declared') return [];
  return Object.keys(manifest.dependencies ?? {})
    .filter((name) => !allowed.includes(name.replace(/^@types\//, '')))
    .map((name) => `packages/${folder}/package.json: '${name}' is not an arrow of ${folder}`);
}

/** What a package declares and no file of it imports. A package that imports nothing is not begun yet. */
export function unusedProblems(folder: string, manifest: Dependencies, files: TextFile[]): string[] {
  const own = files.filter((file) => packageOf(file) === folder && !isTest(file));
  const used = new Set(own.flatMap(importsOf).map(({ specifier }) => packageName(specifier)));
  if (used.size === 0) return [];
  return Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies })
    .filter((name) => !used.has(name.replace(/^@types\//, '')))
    .map((name) => `packages/${folder}/package.json: '${name}' is not used`);
}

/** The package that a specifier such as '@holdfast/store/contract' belongs to. */
function packageName(specifier: string): string {
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
}

/** Every module a file names: imports, exports, dynamic imports and import types. */
function importsOf(file: TextFile): { specifier: string; where: string; computed: boolean }[] {
  const found: { specifier: string; where: string; computed: boolean }[] = [];
  visit(parse(file), (node) => {
    const specifier = moduleOf(node);
    if (specifier === undefined) return;
    const computed = !ts.isStringLiteralLike(specifier);
    found.push({ specifier: computed ? specifier.getText() : specifier.text, where: at(node), computed });
  });
  return found;
}

function moduleOf(node: ts.Node): ts.Node | undefined {
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return node.moduleSpecifier;
  if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) return node.argument.literal;
  if (ts.isExternalModuleReference(node)) return node.expression;
  if (ts.isCallExpression(node) && isImportCall(node)) return node.arguments[0];
  return undefined;
}

function isImportCall({ expression }: ts.CallExpression): boolean {
  return (
    expression.kind === ts.SyntaxKind.ImportKeyword || (ts.isIdentifier(expression) && expression.text === 'require')
  );
}
