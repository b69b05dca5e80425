import { WebSocket } from 'ws';
import { WebSocketServer } from './server.js';

export { createWebSocketStream, WebSocket } from 'ws';
export { HoldfastError } from '@holdfast/protocol';
export { DEFAULT_ADMISSION, type AdmissionOptions } from './admission.js';
export { systemClock, type Clock } from './clock.js';
export type { Done } from './committer.js';
export type { SendData } from './content.js';
export type { DrainOptions, DrainReport } from './drain.js';
export type { HealthReport } from './health.js';
export { DEFAULT_KEEPALIVE, type KeepaliveOptions } from './keepalive.js';
export type { ServerOptions } from './options.js';
export { WebSocketServer } from './server.js';
export type { SendOptions } from './session-socket.js';
export type { Session } from './session.js';
export type { Socket } from './socket.js';
export type { HandledMessage, Handler, Tx } from './transaction.js';

/** `import WebSocket from '@holdfast/server'`, for programs that say `WebSocket.Server` and `WebSocket.OPEN`. */
export default class extends WebSocket {
  static readonly Server = WebSocketServer;
  static readonly WebSocketServer = WebSocketServer;
}
