import {
  type Batch,
  type BatchResult,
  type Effect,
  type EffectResult,
  type Part,
  type PartResult,
  type StreamKey,
} from '@holdfast/store';

/** A batch as the script takes it: JSON, with the payloads beside it. */
export interface WrittenBatch {
  readonly batch: object;
  readonly payloads: Buffer[];
  /** Whether it takes room that is not given back at once. */
  readonly adds: boolean;
}

export function writeBatch({ pod, nowMs, parts }: Batch): WrittenBatch {
  const payloads: Buffer[] = [];
  const write = (effect: Effect): object => {
    switch (effect.type) {
      case 'send':
      case 'publish': {
        const { data, binary } = effect;
        payloads.push(Buffer.from(data.buffer, data.byteOffset, data.byteLength));
        const payload = payloads.length;
        if (effect.type === 'publish') return { type: effect.type, topic: effect.topic, binary, payload };
        return { type: effect.type, session: effect.session, epoch: effect.epoch, binary, payload };
      }
      case 'subscribe':
      case 'unsubscribe':
        return { type: effect.type, session: effect.session, epoch: effect.epoch, topic: effect.topic };
      case 'data':
        return { type: effect.type, session: effect.session, epoch: effect.epoch, data: effect.data };
      case 'close': {
        const { type, session, epoch, code, reason } = effect;
        return { type, session, epoch, code, reason };
      }
    }
  };
  // Field by field: what a caller keeps in its objects beside these is not the store's.
  const written = parts.map(({ guard, watermark, confirm, acked, topicsAcked, detachedMs, end, effects }: Part) => ({
    guard: guard && { session: guard.session, epoch: guard.epoch },
    watermark,
    confirm,
    acked,
    topicsAcked: topicsAcked?.map(({ topic, offset }) => ({ topic, offset })),
    detachedMs,
    end,
    effects: effects.map(write),
  }));
  const adds = parts.some(({ effects }) => effects.some(({ type }) => type !== 'unsubscribe' && type !== 'close'));
  return { batch: { pod, nowMs, parts: written }, payloads, adds };
}

/** Reads the answer of the commit script. */
export function readResult(text: string): BatchResult {
  const words = text === '' ? [] : text.split(' ');
  const parts: PartResult[] = [];
  for (let at = 0; at < words.length;) {
    const word = words[at++]!;
    if (word === 'F') {
      parts.push({ fenced: true });
      continue;
    }
    const count = Number(word.slice(1));
    parts.push({ fenced: false, effects: words.slice(at, at + count).map(readEffect) });
    at += count;
  }
  return { parts };
}

function readEffect(word: string): EffectResult {
  if (word === 'x') return 'fenced';
  const colon = word.indexOf(':');
  return { offset: Number(word.slice(0, colon)), epoch: word.slice(colon + 1) };
}

/** The streams that a batch has grown, and their new ends and epochs. */
export function grownBy(
  batch: Batch,
  result: BatchResult,
): Map<StreamKey, { readonly end: number; readonly epoch: string }> {
  const grown = new Map<StreamKey, { end: number; epoch: string }>();
  batch.parts.forEach((part, index) => {
    const outcome = result.parts[index];
    if (outcome === undefined || outcome.fenced) return;
    part.effects.forEach((effect, number) => {
      const landed = outcome.effects[number];
      if (landed === undefined || landed === 'fenced') return;
      const key: StreamKey | undefined =
        effect.type === 'publish' ? `t:${effect.topic}` : effect.type === 'send' ? `s:${effect.session}` : undefined;
      if (key !== undefined) grown.set(key, { end: landed.offset, epoch: landed.epoch });
    });
  });
  return grown;
}
