import { isBranch, isLeaf, valueIn, type Node } from './document.js';
import { wordsOfHop } from './hop-kinds.js';
import type { HopUse } from './policy.js';
import type { Reading } from './reading.js';

export const hopsOf = (reading: Reading): HopUse[] => reading.items('hops').map((node, i) => hopOf(reading, node, i));

function hopOf(reading: Reading, node: Node, index: number): HopUse {
  if (!isBranch(node)) {
    const kind = isLeaf(node) ? String(node.value) : '';
    return { kind, name: kind, clocksMs: new Map(), options: new Map() };
  }
  const kind = String(valueIn(node, 'kind'));
  const clocks = wordsOfHop(kind)?.clocks ?? [];
  const clocksMs = new Map<string, number>();
  const options = new Map<string, string | number | boolean>();
  for (const [key, { node: value }] of node.entries) {
    if (!isLeaf(value) || key === 'kind' || key === 'name') continue;
    reading.note(`hops.${index}.${key}`, value.at);
    if (clocks.includes(key)) clocksMs.set(key, reading.duration(value) ?? 0);
    else options.set(key, value.value ?? '');
  }
  return { kind, name: String(valueIn(node, 'name') ?? kind), clocksMs, options };
}
