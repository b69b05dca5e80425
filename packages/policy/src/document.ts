import { isAlias, isMap, isNode, isScalar, isSeq, LineCounter, parseDocument, Scalar, type Document } from 'yaml';
import type { Position, Problem } from './problem.js';

/** Where a value stands, and in which part of the file: `base`, or the name of an environment. */
export interface Origin extends Position {
  readonly layer?: string;
  /** The environment variable that it comes from instead of the file. */
  readonly variable?: string;
}

export interface Leaf {
  readonly at: Origin;
  readonly value: string | number | boolean | null;
}
export interface Branch {
  readonly at: Origin;
  /** By key, with the place of the key. */
  readonly entries: ReadonlyMap<string, { readonly keyAt: Origin; readonly node: Node }>;
}
export interface List {
  readonly at: Origin;
  readonly items: readonly Node[];
}
/** YAML with its positions, its aliases followed and its variables filled in. */
export type Node = Leaf | Branch | List;

export const isBranch = (node: Node | undefined): node is Branch => node !== undefined && 'entries' in node;
export const isList = (node: Node | undefined): node is List => node !== undefined && 'items' in node;
export const isLeaf = (node: Node | undefined): node is Leaf => node !== undefined && 'value' in node;

/** The variables of a process. */
export type Variables = Readonly<Record<string, string | undefined>>;

/** A policy of a hundred environments is a tenth of this. */
export const FILE_BYTES_MAX = 1_048_576;
/** What the file may have become when all aliases are followed: beyond it somebody is playing. */
const NODES_MAX = 50_000;
const DEPTH_MAX = 64;
/** More than a person mends before looking again. */
export const PROBLEMS_MAX = 100;

export interface Read {
  readonly root?: Node;
  readonly problems: readonly Problem[];
  /** Variables that are not set: a problem only where the part is wanted that needs them. */
  readonly unset?: readonly Problem[];
}

/** Reads YAML. What is wrong with it is returned, never thrown. */
export function readDocument(text: string, file: string, variables: Variables): Read {
  const whole = (message: string): Read => ({ problems: [{ file, line: 1, column: 1, path: '', message }] });
  if (Buffer.byteLength(text) > FILE_BYTES_MAX) return whole(`the file is larger than ${FILE_BYTES_MAX} bytes`);
  const lines = new LineCounter();
  try {
    // Whether keys are unique is asked below: the library compares each with all before it, which takes a minute at this size.
    const document = parseDocument(text, {
      uniqueKeys: false,
      lineCounter: lines,
      prettyErrors: false,
      version: '1.2',
      schema: 'core',
    });
    const mistakes = [...document.errors, ...document.warnings];
    // The parser descends by recursion, and runs out of stack before it is out of brackets.
    if (mistakes.some(({ message }) => message.includes('call stack'))) return whole('it is nested too deeply');
    const problems = mistakes.slice(0, PROBLEMS_MAX).map((error): Problem => ({
      file,
      ...place(lines, error.pos[0]),
      path: '',
      message: `this is not YAML: ${error.message}`,
    }));
    if (problems.length > 0) return { problems };
    return new Reader(document, lines, file, variables).read();
  } catch (error) {
    if (error instanceof RangeError) return whole('it is nested too deeply');
    throw error;
  }
}

function place(lines: LineCounter, offset: number): Position {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(1, line), column: Math.max(1, col) };
}

/** Thrown inside {@link Reader} alone, when the file has become too large. */
class TooMuch extends Error {}

class Reader {
  readonly #document: Document.Parsed;
  readonly #lines: LineCounter;
  readonly #file: string;
  readonly #variables: Variables;
  readonly #problems: Problem[] = [];
  readonly #unsetProblems: Problem[] = [];
  /** By name, as they were last set: asking the library would walk through the document for each alias. */
  readonly #anchors = new Map<string, unknown>();
  #nodes = 0;

  constructor(document: Document.Parsed, lines: LineCounter, file: string, variables: Variables) {
    this.#document = document;
    this.#lines = lines;
    this.#file = file;
    this.#variables = variables;
  }

  read(): Read {
    const at = { line: 1, column: 1 };
    try {
      const root = this.#node(this.#document.contents, at, []);
      return { root, problems: this.#problems, unset: this.#unsetProblems };
    } catch (error) {
      if (!(error instanceof TooMuch)) throw error;
      return { problems: [{ file: this.#file, ...at, path: '', message: error.message }] };
    }
  }

  #node(node: unknown, near: Position, path: readonly string[]): Node {
    if (++this.#nodes > NODES_MAX)
      throw new TooMuch(`it has more than ${NODES_MAX} values when its aliases are followed`);
    if (path.length > DEPTH_MAX) throw new TooMuch(`it is nested deeper than ${DEPTH_MAX}`);
    const at = this.#at(node, near);
    if (isAlias(node)) return this.#node(this.#anchors.get(node.source), at, path);
    if (isNode(node) && node.anchor !== undefined) this.#anchors.set(node.anchor, node);
    if (isMap(node)) return { at, entries: this.#entries(node.items, at, path) };
    if (isSeq(node)) return { at, items: node.items.map((item, i) => this.#node(item, at, [...path, String(i)])) };
    if (!isScalar(node)) return { at, value: null };
    return {
      at,
      value: typeof node.value === 'string' ? this.#filled(node.value, node, at, path) : simple(node.value),
    };
  }

  #entries(
    items: readonly { key: unknown; value: unknown }[],
    near: Position,
    path: readonly string[],
  ): Branch['entries'] {
    const entries = new Map<string, { keyAt: Origin; node: Node }>();
    const merged: Branch[] = [];
    for (const { key, value } of items) {
      const name = isScalar(key) ? String(key.value) : String(key);
      const keyAt = this.#at(key, near);
      const node = this.#node(value, keyAt, [...path, name]);
      const twin = entries.get(name);
      if (twin !== undefined) this.#repeated(name, keyAt, twin.keyAt, path);
      if (name === '<<') merged.push(...[isList(node) ? node.items : [node]].flat().filter(isBranch));
      else entries.set(name, { keyAt, node });
    }
    // What is written beside `<<` goes before what it brings, and an earlier source before a later one.
    for (const [name, entry] of merged.flatMap((source) => [...source.entries])) {
      if (!entries.has(name)) entries.set(name, entry);
    }
    return entries;
  }

  #repeated(name: string, at: Origin, before: Origin, path: readonly string[]): void {
    const message = `${JSON.stringify(name)} is there already, at line ${before.line}`;
    this.#problems.push({
      file: this.#file,
      line: at.line,
      column: at.column,
      path: [...path, name].join('.'),
      message,
    });
  }

  #at(node: unknown, near: Position): Origin {
    const range = (node as { range?: [number, number, number] | null } | null)?.range;
    return range ? place(this.#lines, range[0]) : { line: near.line, column: near.column };
  }

  /** `${NAME}`, `${NAME:-what if it is not set}`; `$${` is a `${` that stays. */
  #filled(value: string, node: Scalar, at: Origin, path: readonly string[]): Leaf['value'] {
    let filled = false;
    const result = value.replace(/\$\$\{|\$\{([^}]*)\}/g, (whole, inner: string | undefined) => {
      if (inner === undefined) return '${';
      filled = true;
      const [, name = '', fallback] = /^([A-Za-z_]\w*)(?::-([^]*))?$/.exec(inner) ?? [];
      const found = name === '' ? undefined : this.#variables[name] || fallback;
      if (found === undefined) this.#unset(whole, name, at, path);
      return found ?? '';
    });
    // `port: ${PORT}` is a number, as it would be if it stood there; `"${PORT}"` is a text.
    return filled && node.type === Scalar.PLAIN ? retyped(result) : result;
  }

  #unset(whole: string, name: string, at: Origin, path: readonly string[]): void {
    const message = name === '' ? `${whole} is not a variable` : `the variable ${name} is not set`;
    const expected = `${name === '' ? `\${NAME}` : 'a value in the environment'}, or \${${name || 'NAME'}:-default}`;
    this.#unsetProblems.push({
      file: this.#file,
      line: at.line,
      column: at.column,
      path: path.join('.'),
      message,
      expected,
    });
  }
}

const simple = (value: unknown): Leaf['value'] =>
  typeof value === 'number' || typeof value === 'boolean' ? value : value === null ? null : JSON.stringify(value);

function retyped(text: string): Leaf['value'] {
  if (/^-?\d{1,15}(?:\.\d+)?$/.test(text)) return Number(text);
  return text === 'true' ? true : text === 'false' ? false : text;
}

/** As JavaScript has it. */
export function plainOf(node: Node): unknown {
  if (isLeaf(node)) return node.value;
  if (isList(node)) return node.items.map(plainOf);
  // `__proto__` is a key like any other here.
  return Object.fromEntries(Array.from(node.entries, ([key, entry]) => [key, plainOf(entry.node)]));
}

/** What lies at the end of a path, or the last that is there on the way to it. */
export function nodeAt(root: Node, path: readonly PropertyKey[]): { readonly node: Node; readonly found: boolean } {
  let node = root;
  for (const key of path) {
    const next = isList(node)
      ? node.items[Number(key)]
      : isBranch(node)
        ? node.entries.get(String(key))?.node
        : undefined;
    if (next === undefined) return { node, found: false };
    node = next;
  }
  return { node, found: true };
}

/** What a key of a mapping has, if it is neither a mapping nor a list. */
export function valueIn(node: Node | undefined, key: string): Leaf['value'] | undefined {
  const leaf = isBranch(node) ? node.entries.get(key)?.node : undefined;
  return isLeaf(leaf) ? leaf.value : undefined;
}
