import { topicToWire } from './bodies.js';
import type { DataFrame, Frame, Payload } from './frames.js';

/** What a frame looks like on the wire: a text message or a binary one. */
export interface Wire {
  readonly data: string | Uint8Array;
  readonly binary: boolean;
}

type Allocate = (length: number) => Uint8Array;

/**
 * Encodes a frame of holdfast.v1: an ASCII header line (`TYPE FIELD...` LF), then the payload untouched. `allocate` makes the
 * buffer of a frame with a byte payload (Node has a faster one than the default).
 */
export function encode(frame: Frame, allocate: Allocate = (length) => new Uint8Array(length)): Wire {
  switch (frame.type) {
    case 'm':
    case 'r':
      return join(`${frame.type} ${frame.n} ${frame.ack}\n`, frame, allocate);
    case 't':
      return join(`t ${frame.n} ${wireTopic(frame.topic)}\n`, frame, allocate);
    case 'v':
      return join('v\n', frame, allocate);
    default:
      return { data: encodeControl(frame), binary: false };
  }
}

function encodeControl(frame: Exclude<Frame, DataFrame>): string {
  switch (frame.type) {
    case 'hello':
    case 'welcome':
    case 'resume':
    case 'resumed':
      return `${frame.type}\n${JSON.stringify(frame.body)}`;
    case 'sub':
      return `sub ${frame.n} ${frame.epoch} ${wireTopic(frame.topic)}\n`;
    case 'unsub':
      return `unsub ${wireTopic(frame.topic)}\n`;
    case 'ack':
      return `ack ${frame.ack}${frame.topics.map((t) => ` ${wireTopic(t.topic)}=${t.offset}`).join('')}\n`;
    case 'gap':
      return `gap ${frame.from} ${frame.to} ${frame.epoch}${frame.topic && ` ${wireTopic(frame.topic)}`}\n`;
    case 'ping':
    case 'pong':
      return `${frame.type} ${frame.stamp} ${frame.ack}\n`;
    case 'pace':
      return `pace ${frame.pace}\n`;
    case 'drain':
    case 'again':
      return `${frame.type} ${frame.afterMs} ${frame.withinMs}\n`;
    case 'bye':
      return `bye ${frame.code}\n${frame.reason}`;
  }
}

/** Names are checked where an application hands them in, so a bad one here is a bug of ours. */
function wireTopic(topic: string): string {
  const wire = topicToWire(topic);
  if (wire === undefined) throw new RangeError(`not a topic: ${JSON.stringify(topic)}`);
  return wire;
}

function join(header: string, { data, binary }: Payload, allocate: Allocate): Wire {
  if (typeof data === 'string') return { data: header + data, binary: false };
  const bytes = allocate(header.length + data.length);
  for (let i = 0; i < header.length; i++) bytes[i] = header.charCodeAt(i);
  bytes.set(data, header.length);
  return { data: bytes, binary };
}
