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

/** Any constructor of WebSockets after the WHATWG standard. */
export type WebSocketConstructor = new (url: string, protocols: string[]) => globalThis.WebSocket;
