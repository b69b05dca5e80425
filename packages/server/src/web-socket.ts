import { WebSocket as Ws } from 'ws';
import { WebSocketServer } from './server.js';
import { SessionSocket } from './session-socket.js';
import { createWebSocketStream } from './stream.js';

/** The class of `ws`, for programs that connect by it, or that say `WebSocket.OPEN`, `WebSocket.Server` or `socket instanceof WebSocket`. */
export class WebSocket extends Ws {
  static readonly Server = WebSocketServer;
  static readonly WebSocketServer = WebSocketServer;
  static readonly createWebSocketStream = createWebSocketStream;

  static override [Symbol.hasInstance](value: unknown): boolean {
    if (this === WebSocket) return value instanceof Ws || value instanceof SessionSocket;
    return Function.prototype[Symbol.hasInstance].call(this, value);
  }
}
