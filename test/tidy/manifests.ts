import { type Dependencies } from './arrows.js';

export interface Manifest extends Dependencies {
  name: string;
  version: string;
  type?: string;
  exports: Record<string, string | Record<string, string>>;
  bin?: Record<string, string>;
}

export interface PackageFolder {
  /** The folder's name under packages/. */
  folder: string;
  manifest: Manifest;
  /** The folders that tsconfig.json refers to, such as '../protocol'. */
  references: string[];
  /** The files of the package, relative to it. */
  files: string[];
}

/** What is wrong between a package's manifest, its tsconfig.json and its tree. */
export function manifestProblems(pkg: PackageFolder, everyPackage: PackageFolder[]): string[] {
  const problems = [...exportProblems(pkg), ...binProblems(pkg), ...referenceProblems(pkg, everyPackage)];
  return problems.map((problem) => `packages/${pkg.folder}: ${problem}`);
}

/** Each entry is one source file, seen through three conditions; where browsers need another, it is one more. */
function exportProblems({ manifest, files }: PackageFolder): string[] {
  return Object.entries(manifest.exports).flatMap(([entry, target]) => {
    // Data, such as a schema, is exported as it is.
    if (entry.endsWith('.json')) {
      const isThere = entry === './package.json' || files.includes(entry.slice('./'.length));
      return target === entry && isThere ? [] : [`exports ${entry} as something else`];
    }
    const source = typeof target === 'object' ? target['holdfast-source'] : undefined;
    const stem = /^\.\/src\/(.+)\.ts$/.exec(source ?? '')?.[1];
    if (stem === undefined) return [`exports ${entry} without a source in src`];
    const browser = typeof target === 'object' ? target['browser'] : undefined;
    const expected = {
      'holdfast-source': source,
      types: `./dist/${stem}.d.ts`,
      ...(browser !== undefined && { browser }),
      default: `./dist/${stem}.js`,
    };
    if (JSON.stringify(target) !== JSON.stringify(expected))
      return [`exports ${entry} unlike ${JSON.stringify(expected)}`];
    const name = `src/${stem}.ts`;
    if (!files.includes(name)) return [`exports ${entry} from ${name}, which does not exist`];
    if (browser !== undefined && !files.includes(sourceOf(browser))) return [`exports ${browser} without a source`];
    const mirrors = stem === 'index' ? '.' : `./${stem.replace(/\/index$/, '')}`;
    return entry === mirrors ? [] : [`exports ${name} as ${entry} instead of ${mirrors}`];
  });
}

function binProblems({ manifest, files }: PackageFolder): string[] {
  return Object.entries(manifest.bin ?? {}).flatMap(([command, target]) => {
    const source = sourceOf(target);
    return files.includes(source) ? [] : [`has the command ${command} without ${source}`];
  });
}

/** The source of a file in dist; what is not built is its own. */
function sourceOf(target: string): string {
  return target.replace(/^\.\//, '').replace(/^dist\/(.+)\.js$/, 'src/$1.ts');
}

/** `tsc -b` builds in the right order only if the references are the dependencies. */
function referenceProblems({ manifest, references }: PackageFolder, everyPackage: PackageFolder[]): string[] {
  const needed = everyPackage
    .filter((other) => Object.hasOwn(manifest.dependencies ?? {}, other.manifest.name))
    .map((other) => `../${other.folder}`);
  const missing = needed.filter((path) => !references.includes(path));
  const extra = references.filter((path) => !needed.includes(path));
  return [
    ...missing.map((path) => `tsconfig.json does not refer to ${path}`),
    ...extra.map((path) => `tsconfig.json refers to ${path}, which is no dependency`),
  ];
}
