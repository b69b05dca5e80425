/** One block of four bytes, scattered before it goes into the state. */
const scatter = (block: number): number => {
  const bits = Math.imul(block, 0xcc9e_2d51);
  return Math.imul((bits << 15) | (bits >>> 17), 0x1b87_3593);
};

/**
 * MurmurHash3_x86_32 of the UTF-8 bytes of a text: 32 bits, as an unsigned number. It is fast and scatters well, it is the same on every
 * machine and in every version, and it is implemented in every language, so that another program can compute where a key goes.
 * It is no secret and withstands no attacker: whoever may choose a key may choose its pod. Bounded load is what limits that.
 */
export function hash32(text: string, seed = 0): number {
  const bytes = Buffer.from(text, 'utf8');
  const blocks = bytes.length & ~3;
  let state = seed;
  for (let at = 0; at < blocks; at += 4) {
    state ^= scatter(bytes.readInt32LE(at));
    state = (Math.imul((state << 13) | (state >>> 19), 5) + 0xe654_6b64) | 0;
  }
  let tail = 0;
  for (let at = bytes.length - 1; at >= blocks; at--) tail = (tail << 8) | (bytes[at] as number);
  state ^= scatter(tail) ^ bytes.length;
  state = Math.imul(state ^ (state >>> 16), 0x85eb_ca6b);
  state = Math.imul(state ^ (state >>> 13), 0xc2b2_ae35);
  return (state ^ (state >>> 16)) >>> 0;
}
