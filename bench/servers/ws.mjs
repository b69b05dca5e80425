import { WebSocketServer } from 'ws';
import { serve } from './serve.mjs';

const wss = new WebSocketServer({ port: 0, host: '127.0.0.1' });
wss.on('connection', (socket) => {
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
});
wss.on('listening', () => serve(wss.address().port));
