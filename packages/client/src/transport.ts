/** What the session needs of one WebSocket of the platform. */
export interface Transport {
  /** The subprotocol that the server chose; '' for none. */
  readonly protocol: string;
  readonly extensions: string;
  /** Bytes that were given to it and have not left the process. */
  readonly bufferedAmount: number;
  send(data: string | Uint8Array): void;
  /** Begins the closing handshake; code 1005 stands for none. Its end is reported. */
  close(code: number, reason: string): void;
  /** Closes it if that is still possible, and reports nothing from now on. */
  abandon(code: number, reason: string): void;
}

/** What a transport reports. */
export interface TransportListener {
  opened(): void;
  /** `binary` false with bytes is text in UTF-8. */
  received(data: string | Uint8Array, binary: boolean): void;
  /** The last report. Code 1006 where there is no better; `retryMs` is what the server asked for. */
  lost(code: number, reason: string, retryMs?: number): void;
  /** The last report: the server answered the handshake and knows no subprotocols. A browser cannot tell. */
  refusedSubprotocol(): void;
}

/** Opens a transport; nothing is reported before it returns. Throws what the platform's constructor throws. */
export type Dial = (url: string, protocols: string[], listener: TransportListener) => Transport;

/** What is used of a WebSocket after the WHATWG standard. The attributes are written and never read. */
export interface WebSocketLike {
  readonly protocol: string;
  readonly extensions: string;
  readonly bufferedAmount: number;
  binaryType: string;
  onopen: unknown;
  onmessage: unknown;
  onclose: unknown;
  onerror: unknown;
  send(data: string | Uint8Array<ArrayBuffer>): void;
  close(code?: number, reason?: string): void;
}

/** The platform's `WebSocket`, the one of `ws`, or any other that behaves like it. */
export type WebSocketConstructor = new (url: string, protocols: string[]) => WebSocketLike;
