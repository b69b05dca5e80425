import {
  type Batch,
  type BatchResult,
  type Content,
  type Effect,
  type EffectResult,
  type Guard,
  type Part,
  type PartResult,
  type StreamKey,
} from '@holdfast/store';

/** An effect as the script takes it: `payload` is the number of its payload, counted from 1. */
export type WrittenEffect =
  | ({ readonly type: 'send' } & Guard & Stored)
  | ({ readonly type: 'publish'; readonly topic: string } & Stored)
  | Exclude<Effect, { type: 'send' | 'publish' }>;

type Stored = Omit<Content, 'data'> & { readonly payload: number };

export interface WrittenPart extends Omit<Part, 'effects'> {
  readonly effects: readonly WrittenEffect[];
}

/** A batch as the script takes it: JSON, with the payloads beside it. */
export interface WrittenBatch {
  readonly batch: Omit<Batch, 'parts'> & { readonly parts: readonly WrittenPart[] };
  readonly payloads: Buffer[];
  /** Whether it takes room that is not given back at once. */
  readonly adds: boolean;
}

export function writeBatch({ pod, nowMs, parts }: Batch): WrittenBatch {
  const payloads: Buffer[] = [];
  const keep = ({ data }: Content): number => {
    return payloads.push(Buffer.from(data.buffer, data.byteOffset, data.byteLength));
  };
  const write = (effect: Effect): WrittenEffect => {
    switch (effect.type) {
      case 'publish':
        return { type: effect.type, topic: effect.topic, binary: effect.binary, payload: keep(effect) };
      case 'send': {
        const { type, session, epoch, binary } = effect;
        return { type, session, epoch, binary, payload: keep(effect) };
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
  const written = parts.map(
    ({ guard, watermark, confirm, acked, topicsAcked, detachedMs, end, effects }): WrittenPart => ({
      ...(guard && { guard: { session: guard.session, epoch: guard.epoch } }),
      ...(watermark !== undefined && { watermark }),
      ...(confirm && { confirm }),
      ...(acked !== undefined && { acked }),
      ...(topicsAcked && { topicsAcked: topicsAcked.map(({ topic, offset }) => ({ topic, offset })) }),
      ...(detachedMs !== undefined && { detachedMs }),
      ...(end && { end }),
      effects: effects.map(write),
    }),
  );
  const adds = parts.some(({ effects }) => effects.some(({ type }) => type !== 'unsubscribe' && type !== 'close'));
  return { batch: { pod, nowMs, parts: written }, payloads, adds };
}

/** Reads the answer of the commit script. */
export function readResult(text: string): BatchResult {
  const words = text === '' ? [] : text.split(' ');
  const parts: PartResult[] = [];
  for (let at = 0; at < words.length;) {
    const word = words[at++]!;
    if (word === 'F' || word === 'G') {
      parts.push(word === 'F' ? { fenced: true } : { fenced: true, gone: true });
      continue;
    }
    const count = Number(word.slice(1));
    parts.push({ fenced: false, effects: words.slice(at, at + count).map(readEffect) });
    at += count;
  }
  return { parts };
}

/** The same text, of what several scripts have answered. */
export function writeResult({ parts }: BatchResult): string {
  const words = parts.flatMap((part) =>
    part.fenced ? [part.gone ? 'G' : 'F'] : [`P${part.effects.length}`, ...part.effects.map(writeEffect)],
  );
  return words.join(' ');
}

const writeEffect = (result: EffectResult): string => (result === 'fenced' ? 'x' : `${result.offset}:${result.epoch}`);

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
