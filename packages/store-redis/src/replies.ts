import type { Entry, Lost, SessionState, Slice, Subscription } from '@holdfast/store';
import type { Position } from './positions.js';

/** What the scripts answer, as it comes from the server. */
export type StateReply = readonly [
  id: string,
  epoch: number,
  watermark: number,
  streamEpoch: string,
  end: number,
  acked: number,
  createdMs: string,
  request: string,
  data: string | null,
  code: string | null,
  reason: string | null,
  subscriptions: readonly (string | number)[],
  /** In a cluster: batches that have to be finished before the state is true. */
  claims: readonly string[],
];
export type SliceReply = readonly [epoch: Buffer, first: number, end: number, from: number, entries: readonly Buffer[]];
export type PositionReply = readonly [end: number, epoch: string, pod?: string, ownerEpoch?: number];
export type FenceReply = readonly [
  pod: string | Buffer,
  session: string | Buffer,
  epoch: string | Buffer,
  why: string | Buffer,
];

export function readState(reply: StateReply): SessionState {
  const [id, epoch, watermark, streamEpoch, end, acked, createdMs, request, data, code, reason, subscriptions] = reply;
  return {
    id,
    epoch,
    watermark,
    stream: { epoch: streamEpoch, end, acked },
    topics: readSubscriptions(subscriptions),
    createdMs: Number(createdMs),
    request,
    ...(data !== null && { data }),
    ...(code !== null && { closing: { code: Number(code), reason: reason ?? '' } }),
  };
}

function readSubscriptions(flat: readonly (string | number)[]): Subscription[] {
  return Array.from({ length: flat.length / 4 }, (_, index) => {
    const [topic, epoch, offset, end] = flat.slice(index * 4) as [string, string, number, number];
    return { topic, epoch, offset, end };
  });
}

/** A byte that tells binary from text, and the time. */
const HEAD_BYTES = 9;
const BINARY = 'b'.charCodeAt(0);

export function readSlice([epoch, first, end, from, entries]: SliceReply): Slice {
  return {
    epoch: epoch.toString(),
    first,
    end,
    entries: entries.map((bytes, index): Entry => {
      return { offset: from + index, data: bytes.subarray(HEAD_BYTES), binary: bytes[0] === BINARY };
    }),
  };
}

export function readPosition([end, epoch, pod, ownerEpoch]: PositionReply): Position {
  return { end, epoch, ...(pod !== undefined && { owner: { pod, epoch: ownerEpoch ?? 0 } }) };
}

export function readFence([pod, session, epoch, why]: FenceReply): { readonly pod: string; readonly over: Lost } {
  return { pod: String(pod), over: readLost(String(session), Number(epoch), String(why)) };
}

/** `f`: another has the session; `e`: it has ended. */
export function readLost(session: string, epoch: number, why: string): Lost {
  return { session, epoch, ...(why === 'e' && { gone: true }) };
}

/** Whether, as of some turn of a slot group, any of its sessions follows a topic. */
export interface Turn {
  readonly topic: string;
  readonly turn: number;
  readonly isFollowed: boolean;
}

export function readTurns(flat: readonly (string | Buffer | number)[]): Turn[] {
  return Array.from({ length: flat.length / 3 }, (_, index) => {
    const [topic, turn, isFollowed] = flat.slice(index * 3) as [string | Buffer, number, number];
    return { topic: String(topic), turn, isFollowed: isFollowed === 1 };
  });
}

export function writeTurns(turns: readonly Turn[]): (string | number)[] {
  return turns.flatMap(({ topic, turn, isFollowed }) => [topic, turn, isFollowed ? 1 : 0]);
}
