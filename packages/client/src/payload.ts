import type { Payload } from '@holdfast/protocol';

/** What `send` takes, as the WHATWG standard names it. */
export type Sendable = string | ArrayBufferLike | Blob | ArrayBufferView;

/** Turns what `send` was given into a payload of its own. A Blob stays: it can only be read later, but never changes. */
export function payloadOf(data: unknown): Payload | Blob {
  if (ArrayBuffer.isView(data)) return copyOf(data.buffer, data.byteOffset, data.byteLength);
  // By name and not by class: the value may come from another realm, such as an iframe.
  const name = nameOf(data);
  if (name === 'Blob' || name === 'File') return data as Blob;
  if (name.endsWith('ArrayBuffer')) return copyOf(data as ArrayBuffer);
  return { data: wellFormed(`${data as string}`), binary: false };
}

function copyOf(buffer: ArrayBufferLike, offset = 0, bytes = buffer.byteLength): Payload {
  if (nameOf(buffer) === 'SharedArrayBuffer') throw new TypeError('send() does not take a SharedArrayBuffer');
  // A detached buffer has length 0 and allows no view.
  return {
    data: bytes > 0 ? new Uint8Array(buffer as ArrayBuffer, offset, bytes).slice() : new Uint8Array(),
    binary: true,
  };
}

const nameOf = (value: unknown): string => Object.prototype.toString.call(value).slice(8, -1);

/** A text as UTF-8 can carry it: with U+FFFD for each lone surrogate. */
export const wellFormed = (text: string): string => text.replace(/\p{Surrogate}/gu, '\uFFFD');

/** A received binary payload as the application wants it. */
export function binaryOf(bytes: Uint8Array, type: 'blob' | 'arraybuffer'): Blob | ArrayBuffer {
  if (type === 'blob') return new Blob([bytes as Uint8Array<ArrayBuffer>]);
  // What came over the wire is often a view of a larger buffer that is not the application's business.
  if (bytes.byteLength === bytes.buffer.byteLength) return bytes.buffer as ArrayBuffer;
  return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
}
