import { encode, type Frame } from '@holdfast/protocol';
import { headerBytesFor, OPCODE, writeHeader } from '../../websocket/frame-header.js';

/** A WebSocket frame as a server sends it. */
export function frameOf(first: number, payload: Buffer): Buffer {
  const frame = Buffer.alloc(headerBytesFor(payload.length) + payload.length);
  payload.copy(frame, writeHeader(frame, 0, first, payload.length));
  return frame;
}

/** The same as a client sends it. */
export function masked(frame: Buffer, key = Buffer.from([1, 2, 3, 4])): Buffer {
  const length = frame.readUInt8(1) & 0x7f;
  const header = length < 126 ? 2 : length === 126 ? 4 : 10;
  const out = Buffer.concat([frame.subarray(0, header), key, frame.subarray(header)]);
  out.writeUInt8(out.readUInt8(1) | 0x80, 1);
  for (let i = header + 4; i < out.length; i++) out.writeUInt8(out.readUInt8(i) ^ key.readUInt8((i - header) & 3), i);
  return out;
}

export const text = (payload: string, isFinal = true): Buffer =>
  frameOf((isFinal ? 0x80 : 0) | OPCODE.text, Buffer.from(payload));

/** A frame of holdfast.v1. */
export function said(frame: Frame): Buffer {
  const { data, binary } = encode(frame);
  return frameOf(0x80 | (binary ? OPCODE.binary : OPCODE.text), Buffer.from(data as string));
}

/** Cuts bytes where `cuts` says. */
export function split(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return places.slice(1).map((end, i) => Buffer.from(bytes.subarray(places[i], end)));
}
