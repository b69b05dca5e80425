import type { IncomingMessage } from 'node:http';
import type { ServerOptions as WsOptions, WebSocket as Ws, WebSocketServer as WsServer } from 'ws';
import { describe, expect, expectTypeOf, test } from 'vitest';
import DefaultWebSocket, {
  WebSocket,
  WebSocketServer,
  type RawData,
  type ServerOptions,
  type Socket,
} from './index.js';
import type { PlainSocket } from './plain-socket.js';
import type { SessionSocket } from './session-socket.js';

// Judged by the compiler; running it shows only that it loads.
describe('for the compiler', () => {
  test('a socket is one of ws, and more', () => {
    expectTypeOf<Socket>().toExtend<Ws>();
    expectTypeOf<SessionSocket>().toExtend<Socket>();
    expectTypeOf<PlainSocket>().toExtend<Socket>();
    expectTypeOf<Socket['session']['data']>().toEqualTypeOf<Record<string, unknown>>();
  });

  test('a server is one of ws', () => {
    const asWs: WsServer = new WebSocketServer({ noServer: true });
    expect(asWs.clients.size).toBe(0);
  });

  test('the options are those of ws, but for the class of the sockets, which is ours', () => {
    expectTypeOf<Omit<WsOptions, 'WebSocket'>>().toExtend<ServerOptions>();
  });

  test('a program that was written for ws goes on', () => {
    const program = (wss: WebSocketServer): void => {
      wss.on('connection', (ws, request) => {
        expectTypeOf(ws).toEqualTypeOf<Socket>();
        expectTypeOf(request).toEqualTypeOf<IncomingMessage>();
        ws.on('message', (data, isBinary) => {
          expectTypeOf(data).toEqualTypeOf<RawData>();
          expectTypeOf(isBinary).toEqualTypeOf<boolean>();
          for (const client of wss.clients) {
            if (client !== ws && client.readyState === WebSocket.OPEN) client.send(data, { binary: isBinary });
          }
        });
        ws.onmessage = (event) => ws.send(event.data as string);
        ws.addEventListener('close', ({ code, reason, wasClean }) => [code, reason, wasClean]);
      });
      wss.on('headers', (headers) => headers.push('X: y'));
    };
    expect(program).toBeTypeOf('function');
    expectTypeOf(DefaultWebSocket.Server).toEqualTypeOf<typeof WebSocketServer>();
    expectTypeOf<DefaultWebSocket>().toExtend<Ws>();
  });
});
