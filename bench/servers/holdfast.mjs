import { WebSocketServer } from '@holdfast/server';
import { serve } from './serve.mjs';

const admission = { acceptsPerSecond: 100_000, maxHandshakes: 10_000 };
const wss = new WebSocketServer({ port: 0, host: '127.0.0.1', admission });
wss.on('connection', (socket) => {
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
});
wss.on('listening', () => serve(wss.address().port));
