// Takes orders and answers each with a receipt. Receipts of a session are numbered without a hole: the count is kept with the session, so it
// commits with the order and goes wherever the session goes.
import { WebSocketServer } from '@holdfast/server';
import { LmdbStore } from '@holdfast/store-lmdb';

const { PORT = '8080', DATA = './orders-data' } = process.env;
const store = await LmdbStore.open({ path: DATA });
const wss = new WebSocketServer({ port: Number(PORT), host: '127.0.0.1', store });

wss.on('connection', (socket) => {
  socket.on('message', (/** @type {Buffer} */ order) => {
    const receipt = Number(socket.session.data['receipts'] ?? 0) + 1;
    socket.session.data['receipts'] = receipt;
    socket.send(`${receipt} for ${order.toString()}`);
  });
});
wss.on('listening', () => process.stdout.write(`listening on ${PORT}\n`));
