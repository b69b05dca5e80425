import { decode, encode, DEFAULT_POLICY, SUBPROTOCOL, type Frame, type FrameOf, type Policy } from '@holdfast/protocol';
import { VirtualClock } from '@holdfast/testing';
import type { WebSocketOptions } from './options.js';
import { WebSocket } from './index.js';

/** A WebSocket of a platform whose other end is played by the test. Like the real one it never calls back by itself. */
export class FakeSocket {
  readonly url: string;
  readonly offered: string[];
  protocol = '';
  extensions = '';
  bufferedAmount = 0;
  binaryType = 'blob';
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;
  onerror: (() => void) | null = null;
  /** All that was sent on it. */
  readonly sent: (string | Uint8Array)[] = [];
  /** What close() was called with. */
  closedWith: [code?: number, reason?: string] | undefined;

  constructor(url: string, protocols: string[]) {
    this.url = url;
    this.offered = protocols;
  }

  send(data: string | Uint8Array): void {
    this.sent.push(data);
  }

  close(code?: number, reason?: string): void {
    this.closedWith = [code, reason].filter((argument) => argument !== undefined) as [number, string];
  }

  // ------------------------------------------------------------------------------------------------ the other end's part

  accept(protocol: string): void {
    this.protocol = protocol;
    this.onopen?.();
  }

  /** Delivers one message as it would come over the wire. */
  deliver(data: string | ArrayBuffer): void {
    this.onmessage?.({ data });
  }

  say(frame: Frame): void {
    const { data } = encode(frame);
    this.deliver(typeof data === 'string' ? data : data.slice().buffer);
  }

  lose(code = 1006, reason = ''): void {
    this.onclose?.({ code, reason });
  }

  /** The frames that were sent on it. */
  get frames(): Frame[] {
    return this.sent.map((data) => decode(data, typeof data !== 'string') as Frame);
  }

  framesOf<T extends Frame['type']>(type: T): FrameOf<T>[] {
    return this.frames.filter((frame) => frame.type === type) as FrameOf<T>[];
  }
}

export interface Stage {
  readonly url: string;
  readonly clock: VirtualClock;
  /** Every transport that was dialled, oldest first. */
  readonly dialled: FakeSocket[];
  /** The one dialled last. */
  readonly last: FakeSocket;
  readonly options: WebSocketOptions;
  connect(options?: WebSocketOptions, protocols?: string | string[]): WebSocket;
  /** A socket that is open, with the session `s1` on the pod `p1`. */
  open(options?: WebSocketOptions): WebSocket;
  /** Answers the `hello` on the transport dialled last. */
  welcome(policy?: Partial<Policy>): void;
  /** Answers the `resume` on the transport dialled last. */
  resumed(body?: Partial<FrameOf<'resumed'>['body']>): void;
}

let stages = 0;

/** Everything around a socket under control: its clock, its chance, and the other end of each of its transports. */
export function stage(): Stage {
  // Sockets to one endpoint share a breaker, and tests share a process.
  const url = `ws://server-${++stages}.test/chat`;
  const clock = new VirtualClock({ startMs: 1_000 });
  const dialled: FakeSocket[] = [];
  class Transport extends FakeSocket {
    constructor(transportUrl: string, protocols: string[]) {
      super(transportUrl, protocols);
      dialled.push(this);
    }
  }
  const options: WebSocketOptions = {
    WebSocket: Transport,
    clock,
    random: () => 0.5,
    environment: 'development',
  };
  const stage: Stage = {
    url,
    clock,
    dialled,
    get last() {
      return dialled.at(-1) as FakeSocket;
    },
    options,
    connect: (more, protocols) => new WebSocket(url, protocols, { ...options, ...more }),
    open: (more) => {
      const socket = stage.connect(more);
      stage.last.accept(SUBPROTOCOL);
      stage.welcome();
      return socket;
    },
    welcome: (policy) =>
      stage.last.say({
        type: 'welcome',
        body: { session: 's1', token: 't1', epoch: 'e1', pod: 'p1', policy: { ...DEFAULT_POLICY, ...policy } },
      }),
    resumed: (body) =>
      stage.last.say({
        type: 'resumed',
        body: {
          token: 't2',
          epoch: 'e1',
          pod: 'p2',
          policy: DEFAULT_POLICY,
          received: 0,
          offset: 0,
          end: 0,
          topics: [],
          ...body,
        },
      }),
  };
  return stage;
}

/** Notes the events of a socket, in order, as short words. */
export function journal(socket: WebSocket): string[] {
  const words: string[] = [];
  socket.addEventListener('open', () => words.push('open'));
  socket.addEventListener('message', ({ data, topic }) => words.push(`message ${topic ? `${topic}: ` : ''}${data}`));
  socket.addEventListener('error', ({ message }) => words.push(`error ${message}`.trim()));
  socket.addEventListener('close', ({ code, reason, wasClean }) =>
    words.push(`close ${code} ${reason} ${wasClean ? 'clean' : 'unclean'}`.replace('  ', ' ')),
  );
  socket.addEventListener('recovering', ({ code, reason }) => words.push(`recovering ${code} ${reason}`.trim()));
  socket.addEventListener('recovered', ({ replayed }) => words.push(`recovered ${replayed}`));
  socket.addEventListener('gap', ({ topic, from, to }) => words.push(`gap ${topic} ${from} ${to}`));
  socket.addEventListener('moved', ({ pod }) => words.push(`moved ${pod}`));
  return words;
}
