import { once } from 'node:events';
import {
  decode,
  DEFAULT_CLIENT_WINDOW,
  encode,
  isFault,
  offerOf,
  type Frame,
  type FrameOf,
  type FrameType,
  type HelloBody,
  type ResumeBody,
} from '@holdfast/protocol';
import { WebSocket, type ClientOptions } from 'ws';

/** How a transport ended, as its client sees it. */
export interface Closed {
  readonly code: number;
  readonly reason: string;
}

/** The subprotocols, as a client of the application's `protocols` offers them; the rest is of `ws`. */
export type ConnectOptions = ClientOptions & { readonly protocols?: readonly string[] };

/** What a client must remember to come back. */
export interface Ticket {
  readonly session: string;
  readonly token: string;
  readonly epoch: string;
}

/** A client that has a session. */
export type Attached = RawClient & { readonly ticket: Ticket };

/** The frame of a type, also where the union has one member for two types. */
type Heard<T extends FrameType> = Frame extends infer F
  ? F extends { type: infer U }
    ? T extends U
      ? F
      : never
    : never
  : never;

let attempts = 0;

/** One transport of a client that does exactly what a test tells it, frame by frame. */
export class RawClient {
  readonly ws: WebSocket;
  readonly closed: Promise<Closed>;
  readonly #heard: Frame[] = [];
  #wake: () => void = () => undefined;
  #isClosed: Closed | undefined;

  constructor(ws: WebSocket) {
    this.ws = ws;
    ws.on('error', () => undefined);
    ws.on('message', (data: Buffer, binary) => {
      const frame = decode(data, binary);
      if (isFault(frame)) throw new Error(`the server said ${frame.fault.code}: ${data.toString().slice(0, 80)}`);
      this.#heard.push(frame);
      this.#wake();
    });
    this.closed = new Promise((resolve) => {
      ws.on('close', (code, reason) => {
        this.#isClosed = { code, reason: reason.toString() };
        this.#wake();
        resolve(this.#isClosed);
      });
    });
  }

  /** Connects, and says nothing yet. */
  static async connect(url: string, options: ConnectOptions = {}): Promise<RawClient> {
    const client = new RawClient(new WebSocket(url, offerOf(options.protocols ?? []), options));
    await once(client.ws, 'open');
    return client;
  }

  /** Connects and begins a session. */
  static async begin(url: string, body: Partial<HelloBody> = {}, options: ConnectOptions = {}): Promise<Attached> {
    const client = await RawClient.connect(url, options);
    client.say({ type: 'hello', body: { window: DEFAULT_CLIENT_WINDOW, ...body } });
    const { session, token, epoch } = (await client.hear('welcome')).body;
    return Object.assign(client, { ticket: { session, token, epoch } });
  }

  /** Connects and asks for a session that it had. */
  static async ask(
    url: string,
    ticket: Ticket,
    body: Partial<ResumeBody> = {},
    options: ConnectOptions = {},
  ): Promise<RawClient> {
    const client = await RawClient.connect(`${url}?hf=${ticket.session}`, options);
    client.say({
      type: 'resume',
      body: { ...ticket, attempt: ++attempts, received: 0, topics: [], window: DEFAULT_CLIENT_WINDOW, ...body },
    });
    return client;
  }

  /** As {@link ask}, and gets it. */
  static async resume(
    url: string,
    ticket: Ticket,
    body: Partial<ResumeBody> = {},
    options: ConnectOptions = {},
  ): Promise<Attached & { readonly resumed: FrameOf<'resumed'>['body'] }> {
    const client = await RawClient.ask(url, ticket, body, options);
    const resumed = (await client.hear('resumed')).body;
    const { token, epoch } = resumed;
    return Object.assign(client, { resumed, ticket: { session: ticket.session, token, epoch } });
  }

  say(frame: Frame): void {
    const { data, binary } = encode(frame);
    this.ws.send(data, { binary });
  }

  /** Says a message of the application. */
  send(n: number, text: string, ack = 0): void {
    this.say({ type: 'm', n, ack, data: text, binary: false });
  }

  /** The next frame of this type; those of other types before it are skipped. */
  async hear<T extends FrameType>(type: T): Promise<Heard<T>> {
    for (;;) {
      const frame = this.#heard.shift();
      if (frame?.type === type) return frame as Heard<T>;
      if (frame) continue;
      if (this.#isClosed) throw new Error(`closed with ${this.#isClosed.code} ${this.#isClosed.reason}, no ${type}`);
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  /** The texts of the next messages of the session stream, or of a topic's. */
  async texts(count: number, type: 'm' | 't' = 'm'): Promise<string[]> {
    const texts: string[] = [];
    while (texts.length < count) texts.push(textOf(await this.hear(type)));
    return texts;
  }

  /** All frames that have come and were not asked for. */
  takeAll(): Frame[] {
    return this.#heard.splice(0);
  }

  /** Goes as a client goes whose network is lost. */
  drop(): void {
    this.ws.terminate();
  }
}

export const textOf = (frame: Heard<'m' | 't' | 'v'>): string => Buffer.from(frame.data as Uint8Array).toString();
