import { OPCODE } from '../../websocket/frame-header.js';
import type { Doubts } from './outbox.js';

/** What a pod can know of a connection that it is given. */
export interface Telling {
  /** The same for all pods of a connection, and nobody else's. */
  readonly id: string;
  /** 1 for the first pod. */
  readonly attempt: number;
  /** Opening messages that come first, and that another pod has had before. */
  readonly replayed: number;
  readonly doubts: Doubts;
}

/** A handshake's headers, with what the pod is told. */
export function holdHeaders(headers: readonly string[], { id, attempt, replayed, doubts }: Telling): string[] {
  const told = [...headers, 'Holdfast-Connection-Id', id, 'Holdfast-Attempt', `${attempt}`];
  if (attempt === 1) return told;
  const { unanswered, unknown, resent } = doubts;
  told.push('Holdfast-Replayed', `${replayed}`, 'Holdfast-Unanswered', `${unanswered}`);
  told.push('Holdfast-Unknown', `${unknown}`, 'Holdfast-Resent', `${resent}`);
  return told;
}

/** The same as a message, for routes that ask for it. */
export const noticeOf = ({ id, attempt, replayed, doubts }: Telling): string =>
  JSON.stringify({ holdfast: { connection: id, attempt, replayed, ...doubts } });

/** A text message as a client sends it. */
export function maskedText(text: string): Buffer {
  const payload = Buffer.from(text);
  const header = Buffer.alloc(8);
  header[0] = 0x80 | OPCODE.text;
  if (payload.length < 126) {
    header[1] = 0x80 | payload.length;
    return Buffer.concat([header.subarray(0, 6), payload]);
  }
  header[1] = 0x80 | 126;
  header.writeUInt16BE(payload.length, 2);
  return Buffer.concat([header, payload]);
}

/** The close codes of a pod that do not reach the client. */
export const codesOf = (heldCodes: string): ReadonlySet<number> =>
  new Set(
    heldCodes
      .split(/[\s,]+/)
      .filter(Boolean)
      .map(Number),
  );
