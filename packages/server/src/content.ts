import { errors, HoldfastError, topicToWire } from '@holdfast/protocol';
import type { Content } from '@holdfast/store';

/** What `ws` sockets take for a message. */
export type SendData = string | number | ArrayBufferLike | ArrayBufferView | readonly ArrayBufferView[];

/**
 * The bytes of a message, copied: the log keeps them, and the caller may use its buffer again. A small message is also often a
 * view of a large read buffer, which the log must not keep alive.
 */
export function toContent(data: SendData, binary?: boolean): Content {
  if (typeof data === 'string' || typeof data === 'number') {
    return { data: Buffer.from(String(data)), binary: binary ?? false };
  }
  return { data: copyOf(data), binary: binary ?? true };
}

function copyOf(data: Exclude<SendData, string | number>): Buffer {
  if (Array.isArray(data)) return Buffer.concat(data.map(viewOf));
  if (ArrayBuffer.isView(data)) return Buffer.from(viewOf(data));
  return Buffer.from(new Uint8Array(data as ArrayBufferLike));
}

const viewOf = (view: ArrayBufferView): Uint8Array => new Uint8Array(view.buffer, view.byteOffset, view.byteLength);

export function checkTopic(topic: string): string {
  if (typeof topic !== 'string' || topicToWire(topic) === undefined) {
    throw new HoldfastError(errors.TOPIC, JSON.stringify(topic));
  }
  return topic;
}
