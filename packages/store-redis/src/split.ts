import type { BatchResult, EffectResult, Guard, PartResult } from '@holdfast/store';
import { readResult, type WrittenBatch, type WrittenEffect, type WrittenPart } from './batch-text.js';
import type { Groups } from './groups.js';

type Effects = readonly (readonly [WrittenEffect | Look, (result: EffectResult) => void])[];

/** What a batch is made of for one slot group: parts as the script takes them, with their payloads, and who waits for the results. */
export class Share {
  readonly parts: object[] = [];
  readonly payloads: Buffer[] = [];
  readonly #all: readonly Buffer[];
  readonly #waiting: { readonly effects: Effects; readonly fenced: ((result: Refused) => void) | undefined }[] = [];

  constructor(all: readonly Buffer[]) {
    this.#all = all;
  }

  /** Adds some effects of a part, with what else is to be said of the part here. */
  add(fields: object, effects: Effects, fenced?: (result: Refused) => void): void {
    this.parts.push({ ...fields, effects: effects.map(([effect]) => this.#own(effect)) });
    this.#waiting.push({ effects, fenced });
  }

  /** Takes the answer of the script. */
  land(text: string): void {
    readResult(text).parts.forEach((result, index) => {
      const { effects, fenced } = this.#waiting[index]!;
      if (result.fenced) fenced?.(result);
      else result.effects.forEach((each, number) => effects[number]![1](each));
    });
  }

  #own(effect: WrittenEffect | Look): object {
    return 'payload' in effect ? { ...effect, payload: this.payloads.push(this.#all[effect.payload - 1]!) } : effect;
  }
}

/** The shares of all groups. */
export class Shares {
  readonly #all: readonly Buffer[];
  readonly #shares = new Map<number, Share>();

  constructor(payloads: readonly Buffer[]) {
    this.#all = payloads;
  }

  of(group: number): Share {
    const share = this.#shares.get(group) ?? new Share(this.#all);
    this.#shares.set(group, share);
    return share;
  }

  [Symbol.iterator](): IterableIterator<[number, Share]> {
    return this.#shares.entries();
  }
}

/** Asks for the end of a topic at this point of the batch. */
export interface Look {
  readonly type: 'look';
  readonly topic: string;
}

/** A part that was not applied. */
export type Refused = Extract<PartResult, { fenced: true }>;

/** The results of a batch, as they come in from the groups. */
export class Results {
  readonly #parts: (EffectResult[] | Refused)[];

  constructor(parts: readonly WrittenPart[]) {
    this.#parts = parts.map(({ effects }) => effects.map(() => ({ offset: 0, epoch: '' })));
  }

  fence(part: number, refused: Refused): void {
    this.#parts[part] = refused;
  }

  land(part: number, effect: number, result: EffectResult): void {
    const effects = this.#parts[part];
    if (Array.isArray(effects)) effects[effect] = result;
  }

  all(): BatchResult {
    return {
      parts: this.#parts.map((part): PartResult => (Array.isArray(part) ? { fenced: false, effects: part } : part)),
    };
  }
}

/** Where an effect is applied. */
export function groupOf(groups: Groups, effect: WrittenEffect): number {
  return groups.of(effect.type === 'publish' ? effect.topic : effect.session);
}

/** All groups of a part: that of its guard first. */
export function groupsOf(groups: Groups, { guard, effects }: WrittenPart): Set<number> {
  const all = new Set(guard && [groups.of(guard.session)]);
  for (const effect of effects) all.add(groupOf(groups, effect));
  return all;
}

/**
 * Whether a batch must be recorded before it is applied: a part of it is about several groups, or a topic is written to and looked at in it, where
 * the order counts. Otherwise each group can apply its own parts.
 */
export function needsRecord(groups: Groups, { parts }: WrittenBatch['batch']): boolean {
  const published = new Set<string>();
  for (const { effects } of parts)
    for (const effect of effects) if (effect.type === 'publish') published.add(effect.topic);
  return parts.some(
    (part) => groupsOf(groups, part).size > 1 || topicsSeen(part).some((topic) => published.has(topic)),
  );
}

/** The topics whose end has to be known to apply a part: those that it subscribes to, and those that it may have acknowledged beyond their end. */
export function topicsSeen(
  { topicsAcked = [], effects }: WrittenPart,
  knownEnd: (topic: string) => number = () => -1,
): string[] {
  const subscribed = effects.flatMap((effect) => (effect.type === 'subscribe' ? [effect.topic] : []));
  const acked = topicsAcked.flatMap(({ topic, offset }) => (offset > knownEnd(topic) ? [topic] : []));
  return [...acked, ...subscribed];
}

/** What a guard was found to be. */
export type Held = 'held' | 'fenced' | 'gone';

/** Which parts will be applied: those whose guard is current, and whose session no part before them ends. */
export function heldParts(parts: readonly WrittenPart[], found: (guard: Guard) => Held): Held[] {
  const ended = new Set<string>();
  return parts.map(({ guard, end }) => {
    if (guard === undefined) return 'held';
    const held = ended.has(guard.session) ? 'gone' : found(guard);
    if (held === 'held' && end) ended.add(guard.session);
    return held;
  });
}
