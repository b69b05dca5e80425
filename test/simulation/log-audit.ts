import { sessionStream, topicStream, type Batch, type BatchResult, type Effect, type Part } from '@holdfast/store';
import type { ClientAudit } from './client-audit.js';
import type { Verdict } from './verdict.js';

/** What is known of a session from what the store was made to do. */
interface SessionAudit {
  readonly client: ClientAudit;
  watermark: number;
  count: number;
  isClosing: boolean;
  isEnded: boolean;
}

/**
 * Watches every batch that the store applies, and knows nothing else: whose effects are there once, that the watermark moves with
 * them, that no write is made under an epoch that is over.
 */
export class LogAudit {
  /** Offsets by stream and text. */
  readonly #places = new Map<string, Map<string, number>>();
  readonly #closing = new Set<string>();
  readonly #sessions = new Map<string, SessionAudit>();
  /** The epoch under which each session may be written, by the answers of the store. */
  readonly #epochs = new Map<string, number>();
  readonly #owners = new Map<string, string>();
  readonly #verdict: Verdict;

  constructor(verdict: Verdict) {
    this.#verdict = verdict;
  }

  began(id: string, client: ClientAudit): void {
    this.#sessions.set(id, { client, watermark: 0, count: 0, isClosing: this.#closing.has(id), isEnded: false });
    client.begin(sessionStream(id), 0);
  }

  session(id: string): Readonly<SessionAudit> | undefined {
    return this.#sessions.get(id);
  }

  /** The store has given the session to a pod, under a new epoch. */
  given(id: string, pod: string, epoch: number): void {
    const before = this.#epochs.get(id) ?? 0;
    if (epoch <= before) this.#verdict.blame('epoch', `${id} was given to ${pod} under ${epoch}, after ${before}`);
    this.#epochs.set(id, epoch);
    this.#owners.set(id, pod);
  }

  ended(id: string): void {
    const session = this.#sessions.get(id);
    if (session) session.isEnded = true;
  }

  /** How many messages the client of any session may have to wait for. */
  get most(): number {
    let [longest, topics] = [0, 0];
    for (const [stream, { size }] of this.#places) {
      if (stream.startsWith('t:')) topics += size;
      else longest = Math.max(longest, size);
    }
    return longest + topics;
  }

  place(stream: string, text: string): number | undefined {
    return this.#places.get(stream)?.get(text);
  }

  end(stream: string): number {
    return this.#places.get(stream)?.size ?? 0;
  }

  applied(batch: Batch, { parts }: BatchResult): void {
    for (const [i, part] of batch.parts.entries()) {
      const result = parts[i];
      if (!result) this.#verdict.blame('store', 'a part without a result');
      else if (!result.fenced) this.#part(batch.pod, part, result.effects);
    }
  }

  #part(pod: string, part: Part, results: readonly ('fenced' | { offset: number })[]): void {
    if (part.guard) this.#checkFence(pod, part.guard.session);
    for (const [i, effect] of part.effects.entries()) {
      const result = results[i];
      if (result !== undefined && result !== 'fenced') this.#effect(pod, effect, result.offset);
    }
    const session = part.guard && this.#sessions.get(part.guard.session);
    if (!session) return;
    if (part.watermark !== undefined) session.watermark = Math.max(session.watermark, part.watermark);
    if (part.watermark !== undefined) this.#checkTogether(session);
    if (part.end) session.isEnded = true;
  }

  /** A write for a session comes from the pod that was given it last, or from nobody. */
  #checkFence(pod: string, session: string): void {
    const owner = this.#owners.get(session);
    if (owner !== pod) this.#verdict.blame('fence', `${pod} wrote for ${session}, which ${owner} holds`);
  }

  #effect(pod: string, effect: Effect, offset: number): void {
    if (effect.type === 'publish') return this.#append(topicStream(effect.topic), effect.data, offset);
    this.#checkFence(pod, effect.session);
    const session = this.#sessions.get(effect.session);
    switch (effect.type) {
      case 'send':
        return this.#append(sessionStream(effect.session), effect.data, offset);
      case 'subscribe':
        return session?.client.begin(topicStream(effect.topic), offset);
      case 'unsubscribe':
        return session?.client.leave(topicStream(effect.topic));
      case 'data':
        if (session) session.count = (JSON.parse(effect.data) as { count: number }).count;
        return;
      case 'close':
        // A server may close a session before its client has heard that it has one.
        this.#closing.add(effect.session);
        if (session) session.isClosing = true;
        return;
    }
  }

  #append(stream: string, data: Uint8Array, offset: number): void {
    const text = (data as Buffer).toString('latin1');
    let places = this.#places.get(stream);
    if (!places) this.#places.set(stream, (places = new Map<string, number>()));
    if (places.has(text)) this.#verdict.blame('effect twice', `${stream} ${text} at ${places.get(text)} and ${offset}`);
    places.set(text, offset);
    if (places.size !== offset) this.#verdict.blame('store', `${stream} goes on at ${offset}, not ${places.size}`);
  }

  /** What the messages up to the watermark asked for is there, once, and nothing of those behind it. */
  #checkTogether({ client, watermark, count }: SessionAudit): void {
    const expected = client.countUpTo(watermark);
    if (!client.isAsync && count !== expected) {
      this.#verdict.blame('session data', `${client.name} counted ${count} of ${expected} up to ${watermark}`);
    }
  }

  /** Whether all that clients have asked for, up to the watermarks, is there, and nothing else. */
  checkEffects(): void {
    for (const [id, session] of this.#sessions) this.#checkEffectsOf(id, session);
  }

  #checkEffectsOf(id: string, session: SessionAudit): void {
    const { client, watermark } = session;
    for (const [n, command] of client.commands.entries()) {
      const stream = streamOf(id, command);
      if (!stream) continue;
      const isThere = this.place(stream, textOf(client.name, n)) !== undefined;
      if (isThere && n > watermark)
        this.#verdict.blame('effect early', `${client.name} ${n} ${command} > ${watermark}`);
      // Nothing can be sent to a session that is closing.
      if (isThere || n > watermark || (command === 'e' && session.isClosing)) continue;
      this.#verdict.blame('effect lost', `${client.name} ${n} ${command}, watermark ${watermark}`);
    }
  }
}

/** Where the effect of a command is to be found. */
function streamOf(id: string, command: string): string | undefined {
  if (command === 'e') return sessionStream(id);
  return command.startsWith('p') ? topicStream(topicOf(command)) : undefined;
}

export const TOPIC_NAMES = ['news', 'chat', 'logs'] as const;
export const topicOf = (command: string): string => TOPIC_NAMES[Number(command[1]) as 0 | 1 | 2];

/** The effect of a client's message, which no other message has. */
export const textOf = (client: string, n: number): string => `${client}:${n}`;
