/** How many slot groups a cluster has. All processes must agree for ever, so it is no option: enough to spread over a few dozen nodes. */
export const CLUSTER_GROUPS = 32;
const SLOTS = 16_384;

/**
 * Groups of keys that lie in one slot, so that one script may use them together: on one server everything is one group; in a cluster each session
 * with its stream, and each topic, belongs to one of {@link CLUSTER_GROUPS}, by its name.
 */
export class Groups {
  readonly count: number;
  readonly #prefix: string;
  readonly #tags: readonly string[];

  constructor(prefix: string, isCluster: boolean) {
    this.#prefix = prefix;
    this.#tags = isCluster ? clusterTags() : [];
    this.count = isCluster ? CLUSTER_GROUPS : 1;
  }

  /** What the keys of a group begin with. */
  prefixOf(group: number): string {
    const tag = this.#tags[group];
    return tag === undefined ? this.#prefix : `${this.#prefix}{${tag}}`;
  }

  /** The group of a session or a topic. */
  of(name: string): number {
    return this.count === 1 ? 0 : crc16(name) % this.count;
  }

  slotOf(group: number): number {
    return slotOf(this.#tags[group] ?? '');
  }

  all(): number[] {
    return Array.from({ length: this.count }, (_, group) => group);
  }
}

/** Things by what `keyOf` says of them, in order. */
export function grouped<Key, T>(things: Iterable<T>, keyOf: (thing: T) => Key): Map<Key, T[]> {
  const groups = new Map<Key, T[]>();
  for (const thing of things) {
    const key = keyOf(thing);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [thing]);
    else group.push(thing);
  }
  return groups;
}

/** One hash tag for each group, in slots that are spread evenly: a node that has a third of the slots has a third of the groups. */
function clusterTags(): string[] {
  const tags: string[] = [];
  const width = SLOTS / CLUSTER_GROUPS;
  for (let n = 0, missing = CLUSTER_GROUPS; missing > 0; n++) {
    const slot = slotOf(`${n}`);
    const range = Math.floor(slot / width);
    // Near the middle of its range.
    if (tags[range] !== undefined || Math.abs((slot % width) - width / 2) > width / 8) continue;
    tags[range] = `${n}`;
    missing--;
  }
  return tags;
}

const slotOf = (tag: string): number => crc16(tag) % SLOTS;

/** CRC-16/XMODEM of the UTF-8 bytes, by which a cluster finds the slot of a key. */
function crc16(text: string): number {
  let crc = 0;
  for (const byte of Buffer.from(text)) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x80_00 ? (crc << 1) ^ 0x10_21 : crc << 1;
  }
  return crc & 0xff_ff;
}
