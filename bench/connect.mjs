import { WebSocket as HoldfastSocket } from '@holdfast/client';
import { io } from 'socket.io-client';
import { WebSocket as WsSocket } from 'ws';

/**
 * One connected client of each kind, behind the same few methods: `send(text)`, `onText`, `close()`.
 * Each uses the client library that its users use.
 */
export const connect = { ws: connectWs, holdfast: connectHoldfast, 'socket-io': connectSocketIo };

function connectWs(port) {
  const socket = new WsSocket(`ws://127.0.0.1:${port}`);
  const client = { send: (text) => socket.send(text), onText: () => {}, close: () => socket.terminate() };
  socket.on('message', (/** @type {Buffer} */ data) => client.onText(data.toString()));
  return opened(client, (resolve, reject) => socket.on('open', resolve).on('error', reject));
}

function connectHoldfast(port) {
  const socket = new HoldfastSocket(`ws://127.0.0.1:${port}`);
  const client = { send: (text) => socket.send(text), onText: () => {}, close: () => socket.close(1000) };
  socket.onmessage = (event) => client.onText(event.data);
  return opened(client, (resolve, reject) => {
    socket.onopen = resolve;
    socket.onclose = (event) => reject(new Error(`closed: ${event.code} ${event.reason}`));
  });
}

function connectSocketIo(port) {
  const socket = io(`http://127.0.0.1:${port}`, { transports: ['websocket'], forceNew: true });
  const client = { send: (text) => socket.emit('message', text), onText: () => {}, close: () => socket.close() };
  socket.on('message', (text) => client.onText(text));
  return opened(client, (resolve, reject) => socket.on('connect', resolve).on('connect_error', reject));
}

async function opened(client, wait) {
  await new Promise(wait);
  return client;
}
