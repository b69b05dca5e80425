import { CircuitBreaker } from './breaker.js';
import type { ClientOutput } from './client-output.js';
import type { ClientSessionOptions } from './client-options.js';
import { ClientSession } from './client-session.js';
import { decode } from './decode.js';
import { DEFAULT_CONNECT_LIMITS } from './dialer.js';
import { encode } from './encode.js';
import { isFault } from './error.js';
import type { Frame, FrameOf, FrameType, ResumedBody } from './frames.js';
import type { TransportId } from './link.js';
import { DEFAULT_POLICY } from './policy.js';
import type { LogEntry, LogSlice, ServerOutput } from './server-output.js';
import type { ServerSessionOptions, ServerSessionState } from './server-options.js';
import { ServerSession } from './server-session.js';

/** Both machines by hand: what goes in is written down in a test, and what comes out is read there. */

type Output = ClientOutput | ServerOutput;

/** One output in a few words: frames as they are on the wire, the rest by its name and what matters. */
function brief(output: Output): string {
  switch (output.type) {
    case 'transmit':
      return `${output.transport}> ${wire(output.data)}`;
    case 'hangup':
    case 'shut':
      return `${output.transport}> ${output.type} ${output.code} ${output.reason}`.trimEnd();
    case 'dial':
      return `dial ${output.transport} ${output.offer}${output.session === undefined ? '' : ` ${output.session}`}`;
    case 'open':
      return `open ${output.transport}`;
    case 'message':
      return `message ${output.topic ?? ''}/${wire(output.data)}`;
    case 'error':
      return `error ${output.error.code}`;
    case 'deliver':
      return `deliver ${output.n}${output.redelivered ? ' again' : ''} ${wire(output.data)}`;
    default: {
      const { type, ...rest } = output;
      return [type, ...Object.values(rest).map(String)].join(' ').trimEnd();
    }
  }
}

const wire = (data: string | Uint8Array): string => {
  const text = typeof data === 'string' ? data : new TextDecoder().decode(data);
  return text.replace(/\{.*\}$/, '{}').replace('\n', '|');
};

class Machine<O extends Output, S extends { poll(): O | undefined }> {
  readonly session: S;
  nowMs = 0;
  /** Everything that came out since the last look. */
  outputs: O[] = [];

  constructor(session: S) {
    this.session = session;
  }

  /** What came out, and forgets it. */
  get out(): string[] {
    this.collect();
    return this.outputs.splice(0).map(brief);
  }

  /** Forgets what came out. */
  skip(): void {
    this.collect();
    this.outputs = [];
  }

  /** The last frame of a type that went out. */
  said<T extends FrameType>(type: T): FrameOf<T> {
    this.collect();
    for (const output of [...this.outputs].reverse()) {
      if (output.type !== 'transmit') continue;
      const frame = decode(output.data, output.binary);
      if (!isFault(frame) && frame.type === type) return frame as FrameOf<T>;
    }
    throw new Error(`no ${type}`);
  }

  collect(): void {
    for (let output = this.session.poll(); output; output = this.session.poll()) this.outputs.push(output);
  }
}

export class TestClient extends Machine<ClientOutput, ClientSession> {
  constructor(options: Partial<ClientSessionOptions> = {}) {
    super(
      new ClientSession({
        window: { messages: 100, bytes: 100_000 },
        limits: DEFAULT_CONNECT_LIMITS,
        maxAttempts: Infinity,
        maxBufferedBytes: 1_000,
        fallback: true,
        breaker: new CircuitBreaker({ failures: Infinity, openMs: 1_000 }),
        random: () => 0.5,
        ...options,
      }),
    );
  }

  /** Connects, says hello on transport 1 and is welcome. */
  open(policy = {}): this {
    this.session.connect(0);
    this.session.handleOpen(1, true, 0);
    this.hear(1, {
      type: 'welcome',
      body: { session: 's1', token: 'k1', epoch: 'e1', pod: 'p1', policy: { ...DEFAULT_POLICY, ...policy } },
    });
    this.skip();
    return this;
  }

  hear(transport: TransportId, frame: Frame): void {
    const { data, binary } = encode(frame);
    this.session.handleData(transport, data, binary, this.nowMs);
  }

  /** Loses transport 1, and says resume on 2. */
  cut(): this {
    this.session.handleLost(1, 1006, '', this.nowMs);
    return this.redial(2);
  }

  /** Waits for the next attempt, which opens. */
  redial(transport: TransportId): this {
    this.pass(this.session.dueMs - this.nowMs);
    this.session.handleOpen(transport, true, this.nowMs);
    this.collect();
    return this;
  }

  resumed(change: Partial<ResumedBody> = {}, transport: TransportId = 2): void {
    this.skip();
    const policy = DEFAULT_POLICY;
    const rest = { token: 'k2', epoch: 'e1', pod: 'p2', received: 0, offset: 0, end: 0, topics: [] };
    this.hear(transport, { type: 'resumed', body: { policy, ...rest, ...change } });
  }

  /** Lets time pass, with timers on time. */
  pass(ms: number): void {
    const untilMs = this.nowMs + ms;
    while (this.session.dueMs <= untilMs) {
      this.nowMs = Math.max(this.nowMs, this.session.dueMs);
      this.session.handleTimeout(this.nowMs);
      this.collect();
    }
    this.nowMs = untilMs;
  }
}

export const entry = (offset: number, text = `${offset}`): LogEntry => ({
  offset,
  data: new TextEncoder().encode(text),
  binary: false,
});

export const slice = (first: number, end: number, offsets: readonly number[], epoch = 'e1'): LogSlice => ({
  epoch,
  first,
  end,
  entries: offsets.map((offset) => entry(offset)),
});

export class TestServer extends Machine<ServerOutput, ServerSession> {
  constructor(state: Partial<ServerSessionState> = {}, options: Partial<ServerSessionOptions> = {}) {
    super(
      new ServerSession(
        { id: 's1', watermark: 0, stream: { epoch: 'e1', end: 0, acked: 0 }, topics: [], ...state },
        { pod: 'p1', policy: DEFAULT_POLICY, closeMs: 10_000, ...options },
      ),
    );
  }

  /** Welcomes a client on transport 1. */
  open(window = { messages: 100, bytes: 100_000 }): this {
    this.session.welcome(1, window, 'k1', this.nowMs);
    this.skip();
    return this;
  }

  resume(change: Partial<FrameOf<'resume'>['body']> = {}, transport: TransportId = 2): this {
    const window = { messages: 100, bytes: 100_000 };
    const body = { session: 's1', token: 'k1', attempt: 2, epoch: 'e1', received: 0, topics: [], window, ...change };
    this.session.resume(transport, body, 'k2', this.nowMs);
    this.collect();
    return this;
  }

  hear(frame: Frame, transport = this.session.transport ?? 0): void {
    const { data, binary } = encode(frame);
    this.session.handleData(transport, data, binary, this.nowMs);
  }
}
