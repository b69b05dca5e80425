import type { Node } from './tree.js';

/** Every node below one, parents first. */
export function* walk(top: Node): Generator<Node> {
  const waiting = [...top.children].reverse();
  for (let node = waiting.pop(); node; node = waiting.pop()) {
    yield node;
    for (let at = node.children.length - 1; at >= 0; at--) waiting.push(node.children[at] as Node);
  }
}

const byName = new WeakMap<Node, Map<string, Node[]>>();
/** Up to so many directives are looked through; an index of each small block would cost more than it saves. */
const SMALL = 12;
const NONE: readonly Node[] = [];

/** The directives of one name directly inside of a block. */
export function own(node: Node, name: string): readonly Node[] {
  const { children } = node;
  if (children.length === 0) return NONE;
  if (children.length <= SMALL) return children.filter(({ directive }) => directive.name === name);
  let index = byName.get(node);
  if (index === undefined) {
    index = new Map();
    for (const child of children) {
      const same = index.get(child.directive.name);
      if (same) same.push(child);
      else index.set(child.directive.name, [child]);
    }
    byName.set(node, index);
  }
  return index.get(name) ?? NONE;
}

/**
 * The directives of one name that are in effect inside of a block: those of the nearest level that has any. So arrays such as
 * `proxy_set_header` replace those of the level above wholesale, and of a single one such as `proxy_read_timeout` the last is it.
 * What nginx hands down to nobody (`proxy_pass`, `return`) is for `own`.
 */
export function effective(node: Node, name: string): readonly Node[] {
  let level: Node | undefined = node;
  while (level) {
    const found = own(level, name);
    if (found.length > 0) return found;
    level = level.parent;
  }
  return [];
}

/** The directive of one name that is in effect inside of a block, where there can be one only. */
export function effectiveOne(node: Node, name: string): Node | undefined {
  return effective(node, name).at(-1);
}

/** The first argument of it. */
export function effectiveValue(node: Node, name: string): string | undefined {
  return effectiveOne(node, name)?.directive.args[0];
}

/** The nearest block of one name around a node, the node itself included. */
export function enclosing(node: Node, name: string): Node | undefined {
  let level: Node | undefined = node;
  while (level && level.directive.name !== name) level = level.parent;
  return level;
}
