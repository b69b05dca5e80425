import { join } from 'node:path';
import type { Files } from '../files.js';
import { Source } from '../source.js';
import type { ReadProblem } from './dialect.js';

/** What is to be linted. */
export interface Collected {
  readonly sources: readonly Source[];
  /** Those that were named, rather than found in a directory: that no dialect knows one of them is told. */
  readonly named: ReadonlySet<Source>;
  /** What could not be read. */
  readonly problems: readonly ReadProblem[];
}

/** Texts that are at hand already, each as if it had been named. */
export const given = (...sources: readonly Source[]): Collected => ({ sources, named: new Set(sources), problems: [] });

/** How standard input is called in findings. */
export const STDIN = '<stdin>';

/** Files that a run reads; a directory with more is probably not meant. */
const FILES_MAX = 20_000;
const DEPTH_MAX = 40;
const SKIPPED = new Set(['.git/', '.hg/', '.svn/', 'node_modules/']);
/** Names that a configuration may have, in a directory; its content decides. */
const CANDIDATE =
  /^(?!\.)[^.]+$|\.(?:conf|cfg|cnf|inc|ya?ml|json|caddy(?:file)?|template|tmpl|tpl|j2|vhost|site|dockerfile|containerfile)$|^(?:Caddyfile|Dockerfile|Containerfile)\./i;
const BINARY_HEAD_CHARS = 8192;

/** Reads paths, directories with all that is below them, and `-` for a text that comes from standard input. */
export function collect(paths: readonly string[], files: Files, stdin = ''): Collected {
  return new Collector(files, stdin).collect(paths);
}

class Collector {
  readonly #files: Files;
  readonly #stdin: string;
  readonly #sources = new Map<string, Source>();
  readonly #named = new Set<Source>();
  readonly #problems: ReadProblem[] = [];
  readonly #seen = new Set<string>();
  #isFull = false;

  constructor(files: Files, stdin: string) {
    this.#files = files;
    this.#stdin = stdin;
  }

  collect(paths: readonly string[]): Collected {
    for (const path of paths) {
      if (path === '-') {
        const source = new Source(STDIN, this.#stdin);
        this.#sources.set(STDIN, source);
        this.#named.add(source);
      } else {
        const names = this.#files.list(path);
        if (names) this.#directory(path, names, 0);
        else this.#read(path, true);
      }
    }
    return { sources: [...this.#sources.values()], named: this.#named, problems: this.#problems };
  }

  #directory(path: string, names: readonly string[], depth: number): void {
    const identity = this.#files.identity(path);
    // A link may lead back up.
    if (this.#seen.has(identity)) return;
    this.#seen.add(identity);
    for (const name of names) {
      const inside = join(path, name.replace(/\/$/, ''));
      if (!name.endsWith('/')) {
        if (CANDIDATE.test(name)) this.#read(inside, false);
        continue;
      }
      if (SKIPPED.has(name)) continue;
      const more = this.#files.list(inside);
      if (more === undefined) this.#unreadable(inside, 'this user may not list it');
      else if (depth >= DEPTH_MAX) this.#unreadable(inside, `it lies more than ${DEPTH_MAX} directories deep`);
      else this.#directory(inside, more, depth + 1);
    }
  }

  #read(path: string, isNamed: boolean): void {
    const identity = this.#files.identity(path);
    const known = this.#sources.get(identity);
    if (known) {
      if (isNamed) this.#named.add(known);
      return;
    }
    if (this.#sources.size >= FILES_MAX) {
      if (!this.#isFull) this.#unreadable(path, `it and what follows: there are more than ${FILES_MAX} files`);
      this.#isFull = true;
      return;
    }
    const file = this.#files.read(path);
    if (!(file instanceof Source)) return this.#unreadable(path, file.unreadable, isNamed ? 'missing' : 'unreadable');
    if (!isNamed && file.text.slice(0, BINARY_HEAD_CHARS).includes('\0')) return;
    this.#sources.set(identity, file);
    if (isNamed) this.#named.add(file);
  }

  #unreadable(path: string, reason: string, kind: ReadProblem['kind'] = 'unreadable'): void {
    const message = `${path} cannot be read: ${reason}`;
    this.#problems.push({ kind, source: new Source(path, ''), offset: 0, message });
  }
}
