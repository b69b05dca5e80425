import { Duplex, type DuplexOptions } from 'node:stream';
import { createWebSocketStream as createWsStream, WebSocket as Ws } from 'ws';
import { SessionSocket } from './session-socket.js';
import type { Socket } from './socket.js';

/** As the function of `ws`: a stream that reads the messages of a socket, and sends what is written to it. */
export function createWebSocketStream(socket: Ws | Socket, options: DuplexOptions = {}): Duplex {
  return socket instanceof SessionSocket ? streamOf(socket, options) : createWsStream(socket, options);
}

function streamOf(socket: SessionSocket, options: DuplexOptions): Duplex {
  const isOver = (): boolean => socket.readyState === Ws.CLOSED;
  const stream: Duplex = new Duplex({
    ...options,
    allowHalfOpen: false,
    objectMode: false,
    writableObjectMode: false,
    read: () => socket.resume(),
    write: (chunk: Buffer | string, _encoding, done) => socket.send(chunk, done),
    final(done) {
      if (isOver()) return done();
      socket.once('close', () => done());
      socket.close();
    },
    destroy(error, done) {
      if (isOver()) return done(error);
      socket.once('close', () => done(error));
      socket.terminate();
    },
  });
  socket.on('message', (data: Buffer, isBinary: boolean) => {
    if (!stream.push(stream.readableObjectMode && !isBinary ? data.toString() : data)) socket.pause();
  });
  socket.once('error', (error: Error) => stream.destroy(error));
  socket.once('close', () => stream.push(null));
  return stream;
}
