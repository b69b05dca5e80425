import { basename, dirname } from 'node:path';
import type { Files } from '../files.js';
import type { Source } from '../source.js';
import type { LintContext } from '../lint/context.js';
import type { Dialect, Reading } from '../lint/dialect.js';
import { groupBy } from '../lint/memo.js';
import { dumped, filesOfDump } from './dump.js';
import { type NginxTree, readNginx } from './tree.js';

/** Bounded, so that no text makes them slow. */
const BLOCK =
  /(?:^|[;{}])[ \t]*(?:http|server|events|stream|upstream[ \t]+\S{1,300}|location[ \t][^\n{]{1,500}|(?:map|geo)[ \t][^\n{]{1,300})[ \t\r\n]{0,100}\{/m;
const DIRECTIVE =
  /(?:^|[;{}])[ \t]*(?:proxy_(?:pass|set_header|http_version|read_timeout)|worker_processes|include|listen)[ \t][^\n;]{1,500};/m;
const HEAD_CHARS = 65_536;

/** By its content: a block or a directive of nginx; not by its name alone, which Caddy, Apache and others share. */
export function isNginx({ path, text }: Source): boolean {
  if (/\.(?:ya?ml|json|toml|md|cfg|ts|js|mjs|lua|sh|py|go|html?)$|(?:^|\/)(?:Caddyfile|Dockerfile)[^/]*$/i.test(path))
    return false;
  const name = basename(path);
  // Keys of HAProxy's sections never end in `;`.
  const head = text.slice(0, HEAD_CHARS);
  if (BLOCK.test(head) && /;|\}/.test(head)) return true;
  return DIRECTIVE.test(head) || /^nginx.*\.conf$/.test(name);
}

/** Every configuration that the texts make up. A text may be one that `nginx -T` printed, with all its files in it. */
export function readAll(sources: readonly Source[], { files }: LintContext): Reading<NginxTree> {
  const trees: NginxTree[] = [];
  const plain: Source[] = [];
  for (const source of sources) {
    const parts = filesOfDump(source);
    if (parts?.[0]) trees.push(readNginx(parts[0], dumped(parts)));
    else plain.push(source);
  }
  trees.push(...readFiles(plain, files));
  return {
    units: trees,
    problems: trees.flatMap((tree) => tree.problems),
    sources: trees.flatMap((tree) => tree.files.map(({ source }) => source)),
    shared: includedTwice(trees),
  };
}

/** Paths of the files that stand in several places, of one configuration or of several. */
function includedTwice(trees: readonly NginxTree[]): ReadonlySet<string> {
  const places = groupBy(
    trees.flatMap(({ included }) => included),
    ({ identity }) => identity,
  );
  return new Set(
    [...places.values()].filter(({ length }) => length > 1).flatMap((each) => each.map(({ path }) => path)),
  );
}

/** A root is a file that no other includes. Parts of `http` that lie side by side are one configuration: a `conf.d`. */
function readFiles(sources: readonly Source[], files: Files): NginxTree[] {
  const trees = sources.map((source) => readNginx(source, files));
  const names = (tree: NginxTree): string[] => tree.files.map(({ source }) => files.identity(source.path));
  const included = new Set(trees.flatMap((tree) => names(tree).slice(1)));
  const isIncluded = ({ root }: NginxTree): boolean => included.has(files.identity(root.source.path));
  const roots: NginxTree[] = [];
  const covered = new Set<string>();
  // Files that include one another in a circle have no root: the first of them is it.
  for (const tree of [...trees.filter((each) => !isIncluded(each)), ...trees.filter(isIncluded)]) {
    if (covered.has(files.identity(tree.root.source.path))) continue;
    roots.push(tree);
    for (const name of names(tree)) covered.add(name);
  }
  return Array.from(together(roots).values(), ([first, ...others]) =>
    first === undefined || others.length === 0
      ? first
      : readNginx(first.root.source, files, ...others.map(({ root }) => root.source)),
  ).filter((tree) => tree !== undefined);
}

const OF_HTTP = new Set(['server', 'upstream', 'map', 'limit_req_zone', 'limit_conn_zone', 'log_format', 'geo']);

function together(roots: readonly NginxTree[]): Map<string, NginxTree[]> {
  const groups = new Map<string, NginxTree[]>();
  for (const tree of roots) {
    const isPart = tree.main.children.some(({ directive }) => OF_HTTP.has(directive.name));
    const isMain = tree.main.children.some(({ directive }) => directive.name === 'http' || directive.name === 'events');
    const key = isPart && !isMain ? dirname(tree.root.source.path) : `= ${tree.root.source.path}`;
    groups.set(key, [...(groups.get(key) ?? []), tree]);
  }
  return groups;
}

export const nginxFiles: Omit<Dialect<NginxTree>, 'rules'> = { name: 'nginx', recognises: isNginx, read: readAll };
