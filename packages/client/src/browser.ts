import { browserPlatform } from './browser-platform.js';
import { SessionWebSocket } from './session-web-socket.js';

export * from './exports.js';

/** The WebSocket of the WHATWG standard, over a session that survives its connections. */
export class WebSocket extends SessionWebSocket {
  protected static override readonly platform = browserPlatform;
}
