import { isAlias, isMap, isPair, isScalar, isSeq, parseAllDocuments, type Document, type Node } from 'yaml';
import type { Source } from '../source.js';

export type Path = readonly (string | number)[];

/** One object as a cluster would see it, or another YAML document, that knows where each of its values is written. */
export interface Manifest {
  readonly source: Source;
  /** `''` of a document that is no Kubernetes object, such as a configuration of Envoy. */
  readonly kind: string;
  readonly apiVersion: string;
  readonly name: string;
  /** `default` where none is given. */
  readonly namespace: string;
  readonly object: Readonly<Record<string, unknown>>;
  /** Where the key of the value stands that a person must change; of what is absent, the nearest thing around it. */
  offsetOf(path: Path): number;
  /** The text of a scalar as it is written, with its quotes; undefined for anything else. */
  scalarAt(path: Path): Written | undefined;
}

/** Where a scalar is written. */
export interface Written {
  readonly start: number;
  readonly end: number;
  /** Without quotes and without a tag, so that its type is guessed from the text. */
  readonly isPlain: boolean;
}

/** What could not be read, and why. */
export interface ManifestProblem {
  readonly offset: number;
  readonly message: string;
}

export interface Manifests {
  readonly manifests: readonly Manifest[];
  readonly problems: readonly ManifestProblem[];
}

/** References to anchors, at most, that one document may have followed: what is beyond grows without bound. */
const ALIASES_MAX = 1_000;
/** Values, at most, that a document may have become for each of its characters when its aliases are followed. */
const VALUES_PER_CHAR = 10;

/** Reads a file of Kubernetes YAML or JSON: several documents, anchors and merges followed, lists taken apart. Never throws. */
export function readManifests(source: Source): Manifests {
  const manifests: Manifest[] = [];
  const problems: ManifestProblem[] = [];
  for (const document of documentsOf(source.text, problems)) {
    for (const { message, pos } of document.errors) problems.push({ offset: pos[0], message: firstLine(message) });
    if (document.errors.length > 0) continue;
    try {
      const object: unknown = document.toJS({ maxAliasCount: ALIASES_MAX });
      const [start, , end] = document.range;
      if (countOf(object) > VALUES_PER_CHAR * (end - start)) throw new Error('its aliases multiply what is written');
      collect({ source, root: document }, object, [], manifests);
    } catch (error) {
      problems.push({ offset: document.range[0], message: firstLine((error as Error).message) });
    }
  }
  return { manifests, problems };
}

/** How many values a walk meets, which enters a shared one wherever it stands; in time of what is written. Throws at a circle. */
function countOf(value: unknown, known = new Map<object, number>()): number {
  if (typeof value !== 'object' || value === null) return 1;
  const before = known.get(value);
  if (before !== undefined && isNaN(before)) throw new Error('an alias stands inside of what it names');
  if (before !== undefined) return before;
  known.set(value, NaN);
  let count = 1;
  for (const inner of Object.values(value)) count += countOf(inner, known);
  known.set(value, count);
  return count;
}

function documentsOf(text: string, problems: ManifestProblem[]): Document.Parsed[] {
  try {
    const documents = parseAllDocuments(text, { merge: true, prettyErrors: false, uniqueKeys: false });
    // An empty stream is not a list.
    return Array.isArray(documents) ? documents : [];
  } catch {
    // The parser descends by recursion; that its stack has ended is an error of the document, unless it ends while saying so.
    problems.push({ offset: 0, message: 'it is nested too deeply' });
    return [];
  }
}

const firstLine = (message: string): string => message.split('\n', 1)[0] ?? message;

interface Where {
  readonly source: Source;
  readonly root: Document.Parsed;
}

function collect(where: Where, value: unknown, path: Path, found: Manifest[]): void {
  if (!isRecord(value)) return;
  const { items } = value;
  const kind = textOf(value['kind']) ?? '';
  if (kind.endsWith('List') && Array.isArray(items)) {
    for (const [i, item] of items.entries()) collect(where, item, [...path, 'items', i], found);
    return;
  }
  const metadata = isRecord(value['metadata']) ? value['metadata'] : {};
  const { name, generateName, namespace } = metadata;
  found.push({
    source: where.source,
    kind,
    apiVersion: textOf(value['apiVersion']) ?? '',
    name: textOf(name) ?? textOf(generateName) ?? '',
    namespace: textOf(namespace) ?? 'default',
    object: value,
    offsetOf: (inner) => follow(where.root, [...path, ...inner]).offset,
    scalarAt: (inner) => writtenOf(follow(where.root, [...path, ...inner])),
  });
}

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

interface Followed {
  /** Of the innermost thing on the path that is there. */
  readonly offset: number;
  /** What stands at the end of the path, if all of it is there. */
  readonly node: Node | null | undefined;
}

function follow(document: Document.Parsed, path: Path): Followed {
  let node: Node | null | undefined = document.contents;
  let offset = node?.range?.[0] ?? document.range[0];
  for (const step of path) {
    const next = stepInto(resolved(document, node), step, document);
    if (!next) return { offset, node: undefined };
    offset = next.offset ?? offset;
    node = next.node;
  }
  return { offset, node };
}

function writtenOf({ node }: Followed): Written | undefined {
  if (!isScalar(node) || !node.range) return undefined;
  const [start, end] = node.range;
  return { start, end, isPlain: node.type === 'PLAIN' && node.tag === undefined };
}

interface Step {
  readonly node: Node | null | undefined;
  /** Of the key in a map, of the item in a list. */
  readonly offset: number | undefined;
}

function stepInto(node: Node | null | undefined, step: string | number, document: Document.Parsed): Step | undefined {
  if (isSeq(node) && typeof step === 'number') {
    const item = node.items[step] as Node | undefined;
    return item && { node: item, offset: item.range?.[0] };
  }
  if (!isMap(node)) return undefined;
  let merged: Step | undefined;
  for (const pair of node.items) {
    if (!isPair(pair) || !isScalar(pair.key)) continue;
    if (String(pair.key.value) === String(step)) {
      return { node: pair.value as Node | null, offset: pair.key.range?.[0] };
    }
    if (pair.key.value === '<<' || typeof pair.key.value === 'symbol')
      merged ??= intoMerge(pair.value as Node, step, document);
  }
  return merged;
}

/** A merged map, or the first of several that has the key. */
function intoMerge(value: Node, step: string | number, document: Document.Parsed): Step | undefined {
  const target = resolved(document, value);
  const sources = isSeq(target) ? (target.items as Node[]) : [target];
  for (const source of sources) {
    const found = stepInto(resolved(document, source), step, document);
    if (found) return found;
  }
  return undefined;
}

function resolved(document: Document.Parsed, node: Node | null | undefined): Node | null | undefined {
  return isAlias(node) ? node.resolve(document) : node;
}
