import { describe, expectTypeOf, it } from 'vitest';
import { WebSocket as BrowserWebSocket } from './browser.js';
import {
  WebSocket,
  type GapEvent,
  type RecoveredEvent,
  type RecoveringEvent,
  type SocketErrorEvent,
  type SocketMessageEvent,
} from './index.js';

// Judged by the compiler, which reads this file with the types of the DOM; running it shows only that it loads.
describe('the type of the class', () => {
  it('is that of the global WebSocket, and more', () => {
    const asGlobal: typeof globalThis.WebSocket = WebSocket;
    const inBrowser: typeof globalThis.WebSocket = BrowserWebSocket;
    const withDefaults: typeof globalThis.WebSocket = WebSocket.with({ auth: 'token' });
    expectTypeOf([asGlobal, inBrowser, withDefaults]).toExtend<(typeof globalThis.WebSocket)[]>();
    expectTypeOf<WebSocket>().toExtend<globalThis.WebSocket>();
    expectTypeOf<BrowserWebSocket>().toExtend<globalThis.WebSocket>();
    expectTypeOf(WebSocket.OPEN).toEqualTypeOf<1>();
    expectTypeOf(WebSocket.with({})).toEqualTypeOf<typeof WebSocket>();
  });

  it('takes handlers that were written for the global WebSocket', () => {
    const use = (socket: WebSocket): void => {
      socket.onmessage = (event: MessageEvent<string>) => event.data.length;
      socket.onclose = (event: CloseEvent) => event.code;
      socket.onerror = (event: Event) => event.type;
      socket.onopen = function () {
        this.send('self');
      };
      socket.addEventListener('message', (event: MessageEvent) => void event.data, { once: true });
      socket.addEventListener('close', { handleEvent: (event: Event) => event.type });
      socket.addEventListener('custom', null);
    };
    expectTypeOf(use).toBeFunction();
  });

  it('knows its own events', () => {
    const use = (socket: WebSocket): void => {
      socket.addEventListener('message', (event) => expectTypeOf(event).toEqualTypeOf<SocketMessageEvent>());
      socket.addEventListener('error', (event) => expectTypeOf(event).toEqualTypeOf<SocketErrorEvent>());
      socket.addEventListener('recovering', (event) => expectTypeOf(event).toEqualTypeOf<RecoveringEvent>());
      socket.addEventListener('gap', (event) => expectTypeOf(event).toEqualTypeOf<GapEvent>());
      socket.addEventListener('open', function () {
        this.getStatistics();
      });
      socket.onrecovered = (event) => expectTypeOf(event).toEqualTypeOf<RecoveredEvent>();
      // @ts-expect-error: a gap has no code
      socket.ongap = (event) => event.code;
      // @ts-expect-error: an option of ws belongs into `transport`
      WebSocket.with({ headers: {} });
    };
    expectTypeOf(use).toBeFunction();
  });
});
