import { errors, HoldfastError, topicToWire } from '@holdfast/protocol';
import type { Content } from '@holdfast/store';
import { isUserTopic } from './users.js';

/** What `ws` sockets take for a message. */
export type SendData =
  | string
  | number
  | ArrayBufferLike
  | ArrayBufferView
  | readonly ArrayBufferView[]
  | readonly number[];

/**
 * The bytes of a message, copied: the log keeps them, and the caller may use its buffer again. A small message is also often a
 * view of a large read buffer, which the log must not keep alive. What has no bytes at hand is refused with a TypeError.
 */
export function toContent(data: SendData, binary?: boolean): Content {
  if (typeof data === 'string' || typeof data === 'number') {
    return { data: Buffer.from(String(data)), binary: binary ?? false };
  }
  return { data: copyOf(data ?? []), binary: binary ?? true };
}

function copyOf(data: Exclude<SendData, string | number>): Buffer {
  if (Buffer.isBuffer(data)) return Buffer.from(data);
  if (ArrayBuffer.isView(data)) return Buffer.from(viewOf(data));
  if (Array.isArray(data) && data.some((part) => ArrayBuffer.isView(part))) {
    return Buffer.concat((data as ArrayBufferView[]).map(viewOf));
  }
  if (data instanceof ArrayBuffer || data instanceof SharedArrayBuffer) return Buffer.from(new Uint8Array(data));
  if (data instanceof Blob) throw new TypeError('A Blob is read asynchronously: send(await blob.arrayBuffer())');
  return Buffer.from(data as number[]);
}

const viewOf = (view: ArrayBufferView): Uint8Array => new Uint8Array(view.buffer, view.byteOffset, view.byteLength);

export function checkTopic(topic: string): string {
  if (typeof topic !== 'string' || topicToWire(topic) === undefined || isUserTopic(topic)) {
    throw new HoldfastError(errors.TOPIC, JSON.stringify(topic));
  }
  return topic;
}
