import { describe, expect, it } from 'vitest';
import { type PodAnswer, PodAnswerReader } from './pod-answer.js';

/** So large that whatever grows faster than it would not end in time. */
const LIMIT_BYTES = 16_384;

/** What is read of an answer that comes in pieces of so many bytes. */
function read(text: string, pieceBytes = text.length): PodAnswer {
  const reader = new PodAnswerReader(LIMIT_BYTES);
  const bytes = Buffer.from(text, 'latin1');
  let answer: PodAnswer = { kind: 'more' };
  for (let at = 0; at < bytes.length && answer.kind === 'more'; at += pieceBytes) {
    answer = reader.push(bytes.subarray(at, at + pieceBytes));
  }
  return answer;
}

const SWITCHING = 'HTTP/1.1 101 Switching Protocols\r\n';

describe('an answer of a pod', () => {
  it('is a 101, wherever it is cut, with its headers as they came and what came behind it', () => {
    const text = `${SWITCHING}Upgrade:websocket\r\nX-Own: \t a  b \r\nx-own: c\r\n\r\nrest`;
    for (let pieceBytes = 1; pieceBytes <= text.length; pieceBytes++) {
      const answer = read(text, pieceBytes);
      expect(answer).toMatchObject({
        kind: 'switched',
        head: {
          rawHeaders: ['Upgrade', 'websocket', 'X-Own', 'a  b', 'x-own', 'c'],
          headers: { upgrade: 'websocket', 'x-own': 'a  b, c' },
        },
      });
      if (pieceBytes === text.length) expect(answer.kind === 'switched' && String(answer.rest)).toBe('rest');
    }
  });

  it('may be announced by others that only inform', () => {
    const informing = 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n';
    for (const pieceBytes of [1, 7, 10_000]) {
      expect(read(`${informing}${SWITCHING}A: b\r\n\r\n`, pieceBytes)).toMatchObject({
        kind: 'switched',
        head: { rawHeaders: ['A', 'b'] },
      });
    }
  });

  it.each(['HTTP/1.1 200 OK\r\n', 'HTTP/1.1 403', 'HTTP/1.0 101 Switching\r\n', 'SSH-2.0', '\r\n', '\0'])(
    'is left to another parser, whole, where it begins with %j',
    (text) => {
      const answer = read(text);
      expect(answer.kind === 'other' && String(answer.bytes)).toBe(text);
      // Cut anywhere, what came before is still there.
      const cut = read(text, 3);
      expect(cut.kind === 'other' && text.startsWith(String(cut.bytes))).toBe(true);
    },
  );

  it('keeps no name from what every object has', () => {
    const answer = read(`${SWITCHING}__proto__: a\r\nconstructor: b\r\n\r\n`);
    expect(answer.kind === 'switched' && Object.entries(answer.head.headers)).toEqual([
      ['__proto__', 'a'],
      ['constructor', 'b'],
    ]);
  });

  it.each([
    ['a folded header', `${SWITCHING}A: b\r\n c\r\n\r\n`],
    ['a space before the colon', `${SWITCHING}A : b\r\n\r\n`],
    ['no colon', `${SWITCHING}A\r\n\r\n`],
    ['no name', `${SWITCHING}: b\r\n\r\n`],
    ['a bare line feed', `${SWITCHING}A: b\nC: d\r\n\r\n`],
    ['a bare carriage return', `${SWITCHING}A: b\rC: d\r\n\r\n`],
    ['a zero', `${SWITCHING}A: b\0\r\n\r\n`],
    ['letters in the status', 'HTTP/1.1 1x1 Switching\r\n\r\n'],
    ['more digits in the status', 'HTTP/1.1 1010 Switching\r\n\r\n'],
    ['a line feed in the status', 'HTTP/1.1 101 Switching\nA: b\r\n\r\n'],
    ['very many spaces before what is wrong', `${SWITCHING}A: ${' '.repeat(LIMIT_BYTES / 2)}\0\r\n\r\n`],
    ['more headers than are taken', `${SWITCHING}A: ${'b'.repeat(LIMIT_BYTES)}\r\n\r\n`],
    ['more headers than are taken, without an end', `${SWITCHING}A: ${'b'.repeat(LIMIT_BYTES)}`],
  ])('is invalid with %s', (_what, text) => {
    expect(read(text)).toEqual({ kind: 'invalid' });
    expect(read(text, Math.ceil(text.length / 100))).toEqual({ kind: 'invalid' });
  });
});
