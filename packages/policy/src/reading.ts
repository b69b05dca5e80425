import { errors, HoldfastError } from '@holdfast/protocol';
import { isBranch, isLeaf, isList, nodeAt, type Branch, type Leaf, type Node, type Origin } from './document.js';
import type { Key, Section, Value } from './keys.js';
import type { PresetName } from './policy.js';
import { OF_VARIABLES, type Problem } from './problem.js';
import type { Source } from './source.js';
import { parseDuration, parseSize } from './units.js';

/** Reads one environment, which the schema has let through, and notes where each value came from and what is wrong with it. */
export class Reading {
  readonly file: string;
  readonly preset: PresetName;
  readonly sources = new Map<string, Source>();
  readonly problems: Problem[] = [];
  readonly #root: Branch;
  readonly #path: string;

  constructor(root: Branch, file: string, path: string, preset: PresetName) {
    this.#root = root;
    this.file = file;
    this.#path = path;
    this.preset = preset;
  }

  node(...path: string[]): Node | undefined {
    const { node, found } = nodeAt(this.#root, path);
    return found ? node : undefined;
  }

  branch(...path: string[]): Branch | undefined {
    const node = this.node(...path);
    return isBranch(node) ? node : undefined;
  }

  items(...path: string[]): readonly Node[] {
    const node = this.node(...path);
    return node === undefined ? [] : isList(node) ? node.items : [node];
  }

  /** A text, with the source of its value noted under `field`. */
  text(field: string, path: readonly string[]): string | undefined {
    const leaf = this.node(...path);
    if (!isLeaf(leaf)) return undefined;
    this.note(field, leaf.at);
    return String(leaf.value);
  }

  /** All fields of a section, from `at` or by default; `field` is what its sources are noted under. */
  section<T>(field: string, at: Node | undefined, keys: Section<T>): T {
    const entries = Object.entries(keys as Readonly<Record<string, Key>>).map(([name, key]) => [
      name,
      this.#value(`${field}.${name}`, key, isBranch(at) ? at.entries.get(key.key)?.node : undefined),
    ]);
    return Object.fromEntries(entries.filter(([, value]) => value !== undefined)) as T;
  }

  #value(field: string, key: Key, node: Node | undefined): Value | undefined {
    if (isLeaf(node)) {
      this.note(field, node.at);
      return this.#read(key, node);
    }
    if (key.byPreset) {
      this.sources.set(field, { from: 'preset', preset: this.preset });
      return key.byPreset(this.preset);
    }
    this.sources.set(field, { from: 'default' });
    return key.byDefault;
  }

  #read({ unit }: Key, leaf: Leaf): Value | undefined {
    const { value } = leaf;
    if (unit === 'duration') return this.duration(leaf);
    if (unit === 'size') return parseSize(String(value)) ?? impossible(value);
    if (unit === 'attempts') return value === 'unlimited' ? Infinity : Number(value);
    if (unit === 'quantity') return String(value);
    return value ?? impossible(value);
  }

  /** Undefined where it is `off`; NaN, which compares with nothing, where it is a problem. */
  duration(leaf: Leaf): number | undefined {
    if (leaf.value === 'off') return undefined;
    const ms = parseDuration(String(leaf.value));
    if (ms === undefined) this.problem(leaf.at, '', `${String(leaf.value)} is longer than ten years`);
    return ms ?? NaN;
  }

  note(field: string, at: Origin): void {
    const { line, column, layer = '', variable } = at;
    this.sources.set(
      field,
      variable ? { from: 'variable', variable } : { from: 'file', file: this.file, line, column, layer },
    );
  }

  problem(
    at: Origin | undefined,
    key: string,
    message: string,
    more: Pick<Problem, 'expected' | 'nearest'> = {},
  ): void {
    const { line, column, variable } = at ?? this.#root.at;
    const place = variable === undefined ? { file: this.file, line, column } : OF_VARIABLES;
    const path = key === '' ? this.#path : `${this.#path}.${key}`;
    this.problems.push({ ...place, path, message, ...more });
  }

  /** Where a key of this environment stands, or the nearest thing above it that is there. */
  at(...path: string[]): Origin {
    return nodeAt(this.#root, path).node.at;
  }
}

/** The schema has judged the file before it is read; what it has let through and cannot be read is a bug. */
function impossible(value: unknown): never {
  throw new HoldfastError(errors.POLICY, `${JSON.stringify(value)} has passed the schema and cannot be read`);
}
