import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { announceSeed, randomSeed } from '@holdfast/testing';
import { closeFrame, FrameHeader, OPCODE } from '../../websocket/frame-header.js';
import { ClientStream } from './client-stream.js';
import { frameOf, masked, said, split, text } from './frames.fixture.js';
import { PodStream } from './pod-stream.js';

// On a machine that may be busy with other tests.
vi.setConfig({ testTimeout: 60_000 });

const seed = randomSeed();
announceSeed('streams', seed, {
  command: 'npx vitest run --project unit packages/gateway/src/carry/soft/streams.test.ts',
});

/** Everything a pod may say beside what is taken: lengths around those at which headers grow, in one frame or in several. */
const ordinary = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.nat(200).map((n) => [said({ type: 'm', n: n + 1, ack: n, data: 'x'.repeat(n), binary: false })]),
  },
  {
    weight: 2,
    arbitrary: fc
      .constantFrom(125, 126, 65_535, 65_536, 70_000, 200_000)
      .map((n) => [frameOf(0x82, Buffer.alloc(n, 100))]),
  },
  {
    weight: 2,
    arbitrary: fc
      .constantFrom('drain', 'drain 1', 'drain 1 2 3\n', 'drained\n', 'r 1 2\n', 'w', '')
      .map((t) => [text(t)]),
  },
  {
    weight: 1,
    arbitrary: fc.constant([
      text('m 1 0\ndra', false),
      frameOf(0x89, Buffer.from('?')),
      frameOf(0x80, Buffer.from('in 1 2\n')),
    ]),
  },
  { weight: 1, arbitrary: fc.constant([frameOf(0x8a, Buffer.alloc(0))]) },
);
const cuts = fc.array(fc.nat(1_000_000), { maxLength: 30, size: 'max' });

interface Heard {
  bytes: Buffer[];
  events: string[];
}
function podStream(): Heard & { stream: PodStream } {
  const heard = { bytes: [], events: [] } as unknown as Heard & { stream: PodStream };
  heard.stream = new PodStream({
    pass: (bytes) => {
      heard.bytes.push(Buffer.from(bytes));
      // Whoever listens may speak where the stream says that it is between two messages.
      if (heard.stream.isBetween) messagesIn(Buffer.concat(heard.bytes));
    },
    attached: () => void heard.events.push('attached'),
    drain: (afterMs, withinMs) => void heard.events.push(`drain ${afterMs} ${withinMs}`),
    close: (code, frame) => void heard.events.push(`close ${code} ${frame.length}`),
  });
  return heard;
}

/** The payloads of messages, put together from their frames; throws where two frames do not fit together. */
function messagesIn(bytes: Buffer): string[] {
  const header = new FrameHeader(false);
  const messages: string[] = [];
  let open: Buffer[] | undefined;
  for (let at = 0; at < bytes.length;) {
    if (header.read(bytes, at) !== 'whole') throw new Error(`no frame at ${at}`);
    const end = at + header.headerBytes + header.payloadBytes;
    if (end > bytes.length) throw new Error('ends in a frame');
    const payload = bytes.subarray(at + header.headerBytes, end);
    if (header.isControl) messages.push(`control ${header.opcode} ${payload.toString('latin1')}`);
    else {
      if ((header.opcode === OPCODE.continuation) !== (open !== undefined)) throw new Error('a message in a message');
      open = [...(open ?? [Buffer.from([header.opcode])]), payload];
      if (header.isFinal) messages.push(Buffer.concat(open).toString('latin1'));
      if (header.isFinal) open = undefined;
    }
    at = end;
  }
  return messages;
}

describe('what a pod says', () => {
  it('is passed on unchanged wherever it is cut, but for the drains in it, and always ends between two frames', () => {
    const property = fc.property(
      fc.array(fc.oneof({ weight: 4, arbitrary: ordinary }, { weight: 1, arbitrary: fc.constant(undefined) }), {
        maxLength: 20,
      }),
      cuts,
      (messages, at) => {
        const drain = said({ type: 'drain', afterMs: 5, withinMs: 70 });
        const whole = Buffer.concat(messages.flatMap((frames) => frames ?? [drain]));
        const passed = Buffer.concat(messages.flatMap((frames) => frames ?? []));
        const heard = podStream();
        for (const chunk of split(whole, at)) {
          heard.stream.push(chunk);
          const soFar = messagesIn(Buffer.concat(heard.bytes));
          if (heard.stream.isBetween)
            expect(soFar.filter((m) => !m.startsWith('control')).length).toBe(
              heard.stream.messages - heard.events.length,
            );
        }
        expect(messagesIn(Buffer.concat(heard.bytes))).toEqual(messagesIn(passed));
        expect(heard.events).toEqual(messages.filter((frames) => frames === undefined).map(() => 'drain 5 70'));
        expect([heard.stream.isBetween, heard.stream.broken]).toEqual([true, false]);
      },
    );
    fc.assert(property, { seed, numRuns: 150 });
  });

  it('says nothing of a message of which a part is missing, unless it is large', () => {
    const { stream, bytes } = podStream();
    stream.push(text('m 1 0\nhello').subarray(0, 9));
    expect([bytes.length, stream.isBetween]).toEqual([0, true]);
    const large = podStream();
    large.stream.push(frameOf(0x81, Buffer.alloc(100_000, 109)).subarray(0, 70_000));
    expect(large.stream.isBetween).toBe(false);
    expect(Buffer.concat(large.bytes).length).toBe(70_000 - 10 + 10);
  });

  it('tells of the answer before it passes it, and of a close instead of passing it', () => {
    const heard = podStream();
    heard.stream.push(Buffer.concat([text('resumed\n{}'), closeFrame(1012, 'x'), text('m 1 0\n')]));
    expect([messagesIn(Buffer.concat(heard.bytes)).length, heard.events]).toEqual([1, ['attached', 'close 1012 5']]);
  });

  it('is left alone where it is not holdfast.v1', () => {
    const heard = podStream();
    heard.stream.isPlain = true;
    heard.stream.push(text('drain 1 2\n'));
    expect([heard.bytes.length, heard.events]).toEqual([1, []]);
  });

  it('is broken where it is masked, compressed or no WebSocket', () => {
    const compressed = frameOf(0xc1, Buffer.from('x'));
    for (const bytes of [masked(text('m 1 0\n')), compressed, closeFrame(1006), Buffer.from('HTTP/1.1 200 OK')]) {
      const heard = podStream();
      heard.stream.push(bytes);
      expect([heard.stream.broken, heard.bytes.length]).toEqual([true, 0]);
    }
  });
});

const hello = said({ type: 'hello', body: { window: { messages: 1, bytes: 1 }, again: true } });
const resume = text('resume\n{"session":"s1"}');

function clientStream(messageBytes = 1_000_000) {
  const heard = { passed: [] as Buffer[], strays: [] as Buffer[], events: [] as string[] };
  const stream = new ClientStream(
    {
      pass: (bytes) => void heard.passed.push(Buffer.from(bytes)),
      stray: (bytes) => void heard.strays.push(Buffer.from(bytes)),
      first: (message) => void heard.events.push(`first ${message}`),
      ping: (stamp) => void heard.events.push(`ping ${stamp}`),
    },
    messageBytes,
  );
  return { ...heard, stream };
}

describe('what a client says', () => {
  it('goes to the pod before until the first frame that is awaited, and from there on to the next, wherever it is cut', () => {
    const property = fc.property(
      fc.array(ordinary, { maxLength: 8 }),
      fc.array(ordinary, { maxLength: 8 }),
      cuts,
      cuts,
      (before, behind, a, b) => {
        const heard = clientStream();
        const first = [hello, ...before.flat()].map((frame) => masked(frame));
        for (const chunk of split(Buffer.concat(first), a)) heard.stream.push(chunk);
        expect(Buffer.concat(heard.passed).equals(Buffer.concat(first))).toBe(true);
        heard.passed.length = 0;
        heard.stream.sift();
        const strays = [text('m 9 0\nstray'), text('ping 77 0\n'), ...before.flat()].map((frame) => masked(frame));
        const rest = [resume, ...behind.flat()].map((frame) => masked(frame));
        for (const chunk of split(Buffer.concat([...strays, ...rest]), b)) heard.stream.push(chunk);
        expect(Buffer.concat(heard.strays).equals(Buffer.concat(strays))).toBe(true);
        expect(Buffer.concat(heard.passed).equals(Buffer.concat(rest))).toBe(true);
        expect(heard.events.filter((event) => !event.startsWith('first hello'))).toEqual([
          'ping 77',
          'first resume\n{"session":"s1"}',
        ]);
        expect(heard.stream.fault).toBeUndefined();
      },
    );
    fc.assert(property, { seed, numRuns: 150 });
  });

  it('is told apart from the middle of a frame on', () => {
    const frame = masked(text('m 1 0\nhello'));
    for (let cut = 0; cut <= frame.length; cut++) {
      const heard = clientStream();
      heard.stream.push(masked(hello));
      heard.stream.push(Buffer.from(frame.subarray(0, cut)));
      heard.passed.length = 0;
      heard.stream.sift();
      heard.stream.push(Buffer.from(frame.subarray(cut)));
      heard.stream.push(masked(resume));
      expect(Buffer.concat(heard.strays).equals(frame.subarray(cut)), `${cut}`).toBe(true);
      expect(Buffer.concat(heard.passed).equals(masked(resume)), `${cut}`).toBe(true);
    }
  });

  it('tells of the close, and passes nothing behind it', () => {
    const heard = clientStream();
    const close = masked(closeFrame(4507, 'moved'));
    for (const byte of Buffer.concat([masked(hello), close])) heard.stream.push(Buffer.from([byte]));
    heard.stream.push(masked(text('m 1 0\n')));
    expect(heard.stream.closeCode).toBe(4507);
    expect(Buffer.concat(heard.passed).equals(Buffer.concat([masked(hello), close]))).toBe(true);
  });

  it('is a fault where it is too large, not masked or compressed', () => {
    const fault = (...frames: Buffer[]): string | undefined => {
      const heard = clientStream(100);
      for (const frame of frames) heard.stream.push(frame);
      return heard.stream.fault;
    };
    expect(fault(masked(text('x'.repeat(100))))).toBeUndefined();
    expect(fault(masked(text('x'.repeat(101))))).toBe('too large');
    expect(fault(masked(text('x'.repeat(60), false)), masked(frameOf(0x80, Buffer.alloc(60))))).toBe('too large');
    expect(fault(text('x'))).toBe('not websocket');
    expect(fault(masked(closeFrame(1006)))).toBe('not websocket');
    expect(fault(masked(frameOf(0xc1, Buffer.from('x'))))).toBe('not websocket');
  });

  it('is not held back while a first frame is awaited that is larger than one may be', () => {
    const heard = clientStream();
    heard.stream.push(masked(hello));
    heard.stream.sift();
    const large = masked(text(`m 1 0\n${'x'.repeat(300_000)}`));
    heard.stream.push(large.subarray(0, 280_000));
    expect(Buffer.concat(heard.strays).length).toBe(280_000);
  });
});
