import { createServer } from 'node:http';
import { Server } from 'socket.io';
import { serve } from './serve.mjs';

// As its documentation recommends it: connection state recovery on. WebSocket only, so that no polling is measured.
const http = createServer();
const io = new Server(http, { transports: ['websocket'], connectionStateRecovery: {} });
io.on('connection', (socket) => {
  socket.on('message', (data) => socket.emit('message', data));
});
http.listen(0, '127.0.0.1', () => serve(http.address().port));
