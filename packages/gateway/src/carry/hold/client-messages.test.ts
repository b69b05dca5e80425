import fc from 'fast-check';
import { expect, it, vi } from 'vitest';
import { announceSeed, randomSeed } from '@holdfast/testing';
import { closeFrame } from '../../websocket/frame-header.js';
import { frameOf, masked, split, text } from '../soft/frames.fixture.js';
import { ClientMessages } from './client-messages.js';

// On a machine that may be busy with other tests.
vi.setConfig({ testTimeout: 60_000 });

const seed = randomSeed();
announceSeed('messages', seed, {
  command: 'npx vitest run --project unit packages/gateway/src/carry/hold/client-messages.test.ts',
});

function reader(bytesMax = 1_000_000) {
  const heard: string[] = [];
  const frames: Buffer[] = [];
  const it = new ClientMessages(
    {
      message: (bytes, read) => {
        frames.push(Buffer.from(bytes));
        heard.push(read ? `text ${read()}` : 'bytes');
      },
      ping: (payload) => void heard.push(`ping ${String(payload)}`),
      pong: () => void heard.push('pong'),
      close: (code) => void heard.push(`close ${code}`),
    },
    bytesMax,
  );
  return { it, heard, frames };
}

const one = fc.oneof(
  fc.string({ maxLength: 300 }).map((t) => ({ frames: [text(t)], heard: [`text ${t}`] })),
  fc.constantFrom(126, 65_535, 65_536).map((n) => ({ frames: [frameOf(0x82, Buffer.alloc(n))], heard: ['bytes'] })),
  fc.tuple(fc.string(), fc.string(), fc.string()).map(([a, b, c]) => ({
    frames: [
      text(a, false),
      frameOf(0x89, Buffer.from('?')),
      frameOf(0, Buffer.from(b)),
      frameOf(0x80, Buffer.from(c)),
    ],
    heard: ['ping ?', `text ${a}${b}${c}`],
  })),
  fc.constant({ frames: [frameOf(0x8a, Buffer.from('!'))], heard: ['pong'] }),
);

it('cuts what a client sends into whole messages, wherever the bytes are cut', () => {
  const property = fc.property(
    fc.array(one, { maxLength: 12 }),
    fc.array(fc.nat(1_000_000), { maxLength: 30 }),
    (said, cuts) => {
      const frames = said.flatMap((message) => message.frames).map((frame) => masked(frame));
      const { it: messages, heard, frames: given } = reader();
      for (const chunk of split(Buffer.concat(frames), cuts)) messages.push(chunk);
      expect(heard).toEqual(said.flatMap((message) => message.heard));
      const data = frames.filter((frame) => (frame.readUInt8(0) & 0x08) === 0);
      expect(Buffer.concat(given).equals(Buffer.concat(data))).toBe(true);
      expect(messages.fault).toBeUndefined();
    },
  );
  fc.assert(property, { seed, numRuns: 100 });
});

it('takes no close that may not be sent: a pod would break on it, and the client get it back', () => {
  for (const close of [closeFrame(1006), closeFrame(999), closeFrame(5000), frameOf(0x88, Buffer.from([3]))]) {
    const { it: messages, heard } = reader();
    messages.push(masked(close));
    expect([messages.fault, heard]).toEqual(['not websocket', []]);
  }
});

it('tells of a close, and takes nothing behind it', () => {
  const { it: messages, heard } = reader();
  messages.push(Buffer.concat([masked(text('a')), masked(closeFrame(4001, 'x')), masked(text('b'))]));
  messages.push(masked(text('c')));
  expect(heard).toEqual(['text a', 'close 4001']);
});

it('takes nothing that is too large, compressed, unmasked or no message', () => {
  const faultOf = (...frames: Buffer[]): string | undefined => {
    const { it: messages } = reader(100);
    for (const frame of frames) messages.push(frame);
    return messages.fault;
  };
  expect(faultOf(masked(text('x'.repeat(100))))).toBeUndefined();
  // Its header says so; nobody waits for the rest.
  expect(faultOf(masked(text('x'.repeat(101))).subarray(0, 10))).toBe('too large');
  expect(faultOf(masked(text('x'.repeat(60), false)), masked(frameOf(0x80, Buffer.alloc(60))))).toBe('too large');
  for (const frame of [text('x'), masked(frameOf(0xc1, Buffer.alloc(1))), masked(frameOf(0x80, Buffer.alloc(1)))]) {
    expect(faultOf(frame)).toBe('not websocket');
  }
  expect(faultOf(masked(text('a', false)), masked(text('b')))).toBe('not websocket');
});
