import { isAbsolute, join, dirname, posix } from 'node:path';
import type { Files } from '../files.js';
import { Source } from '../source.js';
import { globPattern, hasGlob } from './glob.js';
import { type Directive, type NginxFile, parseNginx, type SyntaxProblem } from './parser.js';

/** A directive where it takes effect: what is included stands in place of its `include`. */
export interface Node {
  readonly directive: Directive;
  /** Undefined for the outermost level alone. */
  readonly parent: Node | undefined;
  readonly children: readonly Node[];
}

/** A configuration with all that it includes. */
export interface NginxTree {
  readonly root: NginxFile;
  /** Every file that it consists of, the root first. */
  readonly files: readonly NginxFile[];
  /** The level outside of every block, as a block of the name `main`. */
  readonly main: Node;
  /** What nginx would refuse, and what could not be read. */
  readonly problems: readonly TreeProblem[];
  /** Whether something that may matter was not read: a variable may be set there. */
  readonly isComplete: boolean;
  /** Includes of which something was not read. */
  readonly unread: ReadonlySet<Directive>;
  /** Every time that a file is included. */
  readonly included: readonly Inclusion[];
}

export interface Inclusion {
  readonly path: string;
  /** The one name of a file that may have several. */
  readonly identity: string;
}

export interface TreeProblem extends SyntaxProblem {
  readonly kind: 'syntax' | 'unreadable';
}

/** Directives that includes bring in, with everything as often as it is included; what is beyond is left out, and told. */
const INCLUDED_MAX = 500_000;
/** Includes within includes. nginx has no limit but that of open files. */
const INCLUDE_DEPTH_MAX = 20;

/** Where distributions keep the configuration. An include from there is looked for beside the root when the root is elsewhere. */
const HOMES = ['/etc/nginx/', '/usr/local/nginx/conf/', '/usr/local/openresty/nginx/conf/', '/usr/local/etc/nginx/'];
/** Files of the distribution itself, which hold nothing that a rule asks for. */
const STOCK =
  /(?:^|\/)(?:mime\.types|(?:fastcgi|scgi|uwsgi|proxy)_params|(?:fastcgi|scgi|uwsgi)\.conf|koi-utf|koi-win|win-utf)$/;

/**
 * Reads a configuration from its root. Includes are relative to the root's directory, as nginx has it. Several roots are read as
 * if one file included them all: the files of a `conf.d` whose nginx.conf is elsewhere.
 */
export function readNginx(root: Source, files: Files, ...others: readonly Source[]): NginxTree {
  return new Reader(root, files).read(others);
}

/** The tree of one text whose includes are not at hand, such as the nginx.conf of a controller's pod. */
export function nginxTree(root: Source): NginxTree {
  const none: Files = {
    read: () => ({ unreadable: 'it is not at hand', isMissing: true }),
    list: () => undefined,
    identity: (path) => path,
  };
  return readNginx(root, none);
}

interface Growing extends Node {
  readonly children: Node[];
}

class Reader {
  readonly #root: Source;
  readonly #files: Files;
  readonly #home: string;
  readonly #parsed = new Map<string, NginxFile | { unreadable: string; isMissing: boolean }>();
  /** By place and message: a file may be included often. */
  readonly #problems = new Map<string, TreeProblem>();
  readonly #unread = new Set<Directive>();
  readonly #included: Inclusion[] = [];
  #includedDirectives = 0;

  constructor(root: Source, files: Files) {
    this.#root = root;
    this.#files = files;
    this.#home = dirname(root.path);
  }

  read(others: readonly Source[]): NginxTree {
    const root = this.#keep(this.#root);
    const directive = { name: 'main', args: [], words: [], source: this.#root, start: 0, end: this.#root.text.length };
    const main: Growing = { directive, parent: undefined, children: [] };
    for (const file of [root, ...others.map((source) => this.#keep(source))]) {
      this.#expand(file.directives, main, [this.#files.identity(file.source.path)]);
    }
    const files = [...new Set(this.#parsed.values())].filter((file) => 'directives' in file);
    return {
      root,
      files,
      main,
      problems: [...this.#problems.values()],
      isComplete: this.#unread.size === 0,
      unread: this.#unread,
      included: this.#included,
    };
  }

  #keep(source: Source): NginxFile {
    const file = parseNginx(source);
    this.#parsed.set(this.#files.identity(source.path), file);
    for (const problem of file.problems) this.#tell({ ...problem, kind: 'syntax' });
    return file;
  }

  /** `trail` names the files that are being included, for cycles. */
  #expand(directives: readonly Directive[], parent: Growing, trail: readonly string[]): void {
    for (const directive of directives) {
      if (trail.length > 1 && ++this.#includedDirectives > INCLUDED_MAX) {
        if (this.#includedDirectives === INCLUDED_MAX + 1)
          this.#unreadable(directive, `includes bring in more than ${INCLUDED_MAX} directives`);
        return;
      }
      const node: Growing = { directive, parent, children: [] };
      parent.children.push(node);
      if (directive.name === 'include' && directive.block === undefined) this.#include(directive, parent, trail);
      else if (directive.block) this.#expand(directive.block, node, trail);
    }
  }

  #include(directive: Directive, parent: Growing, trail: readonly string[]): void {
    const [pattern] = directive.args;
    if (pattern === undefined) return;
    const paths = this.#paths(pattern);
    if (paths.length === 0) this.#unread.add(directive);
    for (const path of paths) {
      const identity = this.#files.identity(path);
      if (trail.includes(identity)) {
        this.#unreadable(directive, `${path} includes itself: the cycle is left out`);
      } else if (trail.length === INCLUDE_DEPTH_MAX) {
        this.#unreadable(directive, `includes go deeper than ${INCLUDE_DEPTH_MAX} files`);
      } else {
        const file = this.#open(path, identity);
        if ('directives' in file) {
          this.#included.push({ path: file.source.path, identity });
          this.#expand(file.directives, parent, [...trail, identity]);
        } else if (!(file.isMissing && STOCK.test(path))) {
          this.#unreadable(directive, `${path} cannot be read: ${file.unreadable}`);
        }
      }
    }
  }

  #open(path: string, identity: string): NginxFile | { unreadable: string; isMissing: boolean } {
    const known = this.#parsed.get(identity);
    if (known) return known;
    const found = this.#files.read(path);
    if (found instanceof Source) return this.#keep(found);
    this.#parsed.set(identity, found);
    return found;
  }

  /** The files that an include names. One that names none by a pattern is in order; nginx thinks so too. */
  #paths(pattern: string): readonly string[] {
    const [first, ...others] = this.#candidates(pattern);
    if (first === undefined) return [];
    if (hasGlob(pattern)) {
      for (const candidate of [first, ...others]) {
        const found = globPattern(candidate, this.#files);
        if (found.length > 0) return found;
      }
      return [];
    }
    if (others.length === 0) return [first];
    return [[first, ...others].find((path) => 'directives' in this.#open(path, this.#files.identity(path))) ?? first];
  }

  #candidates(pattern: string): readonly string[] {
    if (!isAbsolute(pattern)) return [join(this.#home, pattern)];
    const home = HOMES.find((prefix) => pattern.startsWith(prefix));
    if (home === undefined || this.#root.path.startsWith(home)) return [pattern];
    return [posix.join(this.#home, pattern.slice(home.length)), pattern];
  }

  #unreadable(directive: Directive, message: string): void {
    this.#unread.add(directive);
    this.#tell({ kind: 'unreadable', source: directive.source, offset: directive.start, message });
  }

  #tell(problem: TreeProblem): void {
    this.#problems.set(`${problem.source.path}:${problem.offset}:${problem.message}`, problem);
  }
}
