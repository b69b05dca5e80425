import { isBranch, isLeaf, nodeAt, type Branch, type Node, type Origin } from './document.js';
import type { Problem } from './problem.js';
import { nearest, oneOf } from './words.js';

/** Keys that are taken over or replaced whole: half of a list, or of one of several forms, means nothing. */
const WHOLE = new Set(['hosts', 'pods', 'hops', 'routes', 'stickiness', 'discovery', 'listen', 'issuer', 'admin']);

export interface Inherited {
  /** Every environment with all that it inherits, by name; those that cannot be made are absent. */
  readonly environments: ReadonlyMap<string, Branch>;
  /** Which environments each is made of, itself included. */
  readonly made: ReadonlyMap<string, readonly string[]>;
  readonly problems: readonly Problem[];
}

/** Lays each environment over the one that it extends, and all of them over `base`. */
export function inherit(root: Node, file: string): Inherited {
  const base = nodeAt(root, ['base']);
  const declared = nodeAt(root, ['environments']).node;
  const own = new Map(isBranch(declared) ? Array.from(declared.entries, ([name, { node }]) => [name, node]) : []);
  const problems: Problem[] = [];
  const environments = new Map<string, Branch>();
  const made = new Map<string, readonly string[]>();
  for (const name of own.keys()) {
    const chain = chainOf(name, own, file, problems);
    if (chain === undefined) continue;
    const layers = chain.map((part) => layer(own.get(part), part)).filter(isBranch);
    if (base.found && isBranch(base.node)) layers.unshift(layer(base.node, 'base') as Branch);
    const first = layers.shift();
    if (first === undefined) continue;
    environments.set(name, layers.reduce(over, first));
    made.set(name, chain);
  }
  return { environments, made, problems };
}

/** From the furthest that is extended to the environment itself. */
function chainOf(
  name: string,
  own: ReadonlyMap<string, Node>,
  file: string,
  problems: Problem[],
): string[] | undefined {
  const chain = [name];
  for (;;) {
    const [current = name] = chain;
    const link = own.get(current);
    const parent = isBranch(link) ? link.entries.get('extends')?.node : undefined;
    if (!isLeaf(parent)) return chain;
    const wanted = String(parent.value);
    const complaint = complaintOf(wanted, chain, own);
    if (complaint !== undefined) {
      // Told where it stands, once, though others that extend this one fail with it.
      const path = `environments.${current}.extends`;
      const { line, column } = parent.at;
      if (!problems.some((problem) => problem.path === path)) problems.push({ file, line, column, path, ...complaint });
      return undefined;
    }
    chain.unshift(wanted);
  }
}

/** Why the first of a chain cannot extend what it wants to. */
function complaintOf(
  wanted: string,
  chain: readonly string[],
  own: ReadonlyMap<string, Node>,
): Pick<Problem, 'message' | 'expected' | 'nearest'> | undefined {
  if (chain.includes(wanted)) {
    const circle = chain.slice(0, chain.indexOf(wanted) + 1).reverse();
    return { message: `${wanted} extends itself: ${[...circle, wanted].join(', ')}` };
  }
  if (own.has(wanted)) return undefined;
  if (wanted === 'base') return { message: 'base is in every environment already', expected: 'no `extends`' };
  const others = [...own.keys()].filter((other) => !chain.includes(other));
  return {
    message: `there is no environment ${wanted} to extend`,
    ...(others.length > 0 && { expected: oneOf(others) }),
    nearest: nearest(wanted, others),
  };
}

function over(lower: Branch, upper: Branch): Branch {
  const entries = new Map(lower.entries);
  for (const [key, { keyAt, node }] of upper.entries) {
    const below = entries.get(key)?.node;
    const merged = !WHOLE.has(key) && isBranch(below) && isBranch(node) ? over(below, node) : node;
    entries.set(key, { keyAt, node: merged });
  }
  return { at: upper.at, entries };
}

/** The node with the name of its part on every place, and short forms written out so that they merge. */
function layer(node: Node | undefined, name: string): Node | undefined {
  if (!isBranch(node)) return node;
  const named = tag(node, name) as Branch;
  const service = named.entries.get('service');
  if (!service || !isLeaf(service.node)) return named;
  const entries = new Map(named.entries);
  const { keyAt, node: short } = service;
  entries.set('service', { keyAt, node: { at: short.at, entries: new Map([['name', { keyAt, node: short }]]) } });
  return { at: named.at, entries };
}

function tag(node: Node, layerName: string): Node {
  const at: Origin = { ...node.at, layer: layerName };
  if (isLeaf(node)) return { at, value: node.value };
  if ('items' in node) return { at, items: node.items.map((item) => tag(item, layerName)) };
  const entries = Array.from(
    node.entries,
    ([key, entry]) => [key, { keyAt: entry.keyAt, node: tag(entry.node, layerName) }] as const,
  );
  return { at, entries: new Map(entries) };
}

/** Lays values that stand in no file over an environment. */
export const laidOver = (environment: Branch, values: Branch): Branch => over(environment, values);
