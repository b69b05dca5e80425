// The two ends of `bench/gateway.mjs` in one process: a backend that echoes, and clients. Frames are made beforehand, and counted rather than
// read, so that the proxy between the two is what is measured. Usage: forked; told what to do by messages.
import { createHash } from 'node:crypto';
import { connect, createServer } from 'node:net';
import { createHistogram } from 'node:perf_hooks';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const KEY = 'AAAAAAAAAAAAAAAAAAAAAA==';
const PAYLOAD_BYTES = 100;
const REQUEST =
  `GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
  `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${KEY}\r\n\r\n`;
const ANSWER =
  `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
  `Sec-WebSocket-Accept: ${createHash('sha1')
    .update(KEY + GUID)
    .digest('base64')}\r\n\r\n`;

/** A client's frame: masked with zeros. */
const ASK = Buffer.concat([Buffer.from([0x82, 0x80 | PAYLOAD_BYTES, 0, 0, 0, 0]), Buffer.alloc(PAYLOAD_BYTES, 120)]);
const REPLY = Buffer.concat([Buffer.from([0x82, PAYLOAD_BYTES]), Buffer.alloc(PAYLOAD_BYTES, 120)]);
/** As many replies as one read may ask for. */
const REPLIES = Buffer.concat(Array.from({ length: 4_096 }, () => REPLY));
const ASKS = Buffer.concat(Array.from({ length: 4_096 }, () => ASK));

/** Counts whole frames of one size in a stream. */
function counter(frameBytes) {
  let rest = 0;
  return (bytes) => {
    const all = rest + bytes;
    rest = all % frameBytes;
    return (all - rest) / frameBytes;
  };
}

const PING = 0x89;
const PONG = 0x8a;

/** Counts messages in what a client sends, and answers pings, of which all are short and masked with zeros. */
function receiver(socket) {
  let rest;
  return (chunk) => {
    const bytes = rest ? Buffer.concat([rest, chunk]) : chunk;
    let asked = 0;
    let at = 0;
    while (bytes.length - at >= 2) {
      const payloadBytes = bytes[at + 1] & 0x7f;
      const end = at + 6 + payloadBytes;
      if (end > bytes.length) break;
      if (bytes[at] !== PING) asked++;
      else socket.write(Buffer.concat([Buffer.from([PONG, payloadBytes]), bytes.subarray(at + 6, end)]));
      at = end;
    }
    rest = at < bytes.length ? bytes.subarray(at) : undefined;
    return asked;
  };
}

const backend = createServer((socket) => {
  socket.setNoDelay(true);
  socket.on('error', () => undefined);
  let head = '';
  const count = receiver(socket);
  const onData = (chunk) => {
    socket.cork();
    const asked = count(chunk);
    if (asked > 0) socket.write(REPLIES.subarray(0, asked * REPLY.length));
    socket.uncork();
  };
  const onHead = (chunk) => {
    head += chunk.toString('latin1');
    const end = head.indexOf('\r\n\r\n');
    if (end < 0) return;
    socket.off('data', onHead);
    socket.on('data', onData);
    socket.write(ANSWER);
    if (head.length > end + 4) onData(Buffer.from(head.slice(end + 4), 'latin1'));
  };
  socket.on('data', onHead);
});

/** A client that has been answered. `onReplies` is called with how many replies have come. */
async function open(port) {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  socket.on('error', () => undefined);
  const client = { socket, onReplies: () => undefined, ask: (n) => socket.write(ASKS.subarray(0, n * ASK.length)) };
  await new Promise((resolve, reject) => {
    let head = '';
    const onHead = (chunk) => {
      head += chunk.toString('latin1');
      const end = head.indexOf('\r\n\r\n');
      if (end < 0) return;
      if (!head.startsWith('HTTP/1.1 101')) return reject(new Error(head.slice(0, 200)));
      socket.off('data', onHead);
      const count = counter(REPLY.length);
      socket.on('data', (more) => {
        const replies = count(more.length);
        if (replies > 0) client.onReplies(replies);
      });
      resolve();
    };
    socket.on('data', onHead);
    socket.on('close', () => reject(new Error('closed')));
    socket.write(REQUEST);
  });
  return client;
}

async function openAll(port, count) {
  const clients = [];
  while (clients.length < count) {
    const some = Math.min(50, count - clients.length);
    clients.push(...(await Promise.all(Array.from({ length: some }, () => open(port)))));
  }
  return clients;
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const tell = (message) => process.send(message);
/** The parent looks at the proxy, and says when it has. */
const looked = async (what) => {
  tell({ what });
  await new Promise((resolve) => process.once('message', resolve));
};

const phases = {
  /** Each client keeps `depth` messages on their way. */
  async throughput(port, { clients: count, depth, warmMs = 1_000, measureMs = 3_000 }) {
    const clients = await openAll(port, count);
    let replies = 0;
    for (const client of clients) {
      client.onReplies = (n) => {
        replies += n;
        client.ask(n);
      };
      client.ask(depth);
    }
    await pause(warmMs);
    await looked('begin');
    const before = replies;
    const startMs = performance.now();
    await pause(measureMs);
    const perSecond = ((replies - before) / (performance.now() - startMs)) * 1_000;
    await looked('end');
    for (const { socket } of clients) socket.destroy();
    // A reply and what asked for it: two messages relayed.
    return { perSecond: perSecond * 2, messages: (replies - before) * 2 };
  },

  /** Round trips far below what a proxy can do: one message each every 10 ms. */
  async latency(port, { clients: count = 20, everyMs = 10, measureMs = 3_000 }) {
    const clients = await openAll(port, count);
    const histogram = createHistogram({ lowest: 1, highest: 10_000_000_000, figures: 3 });
    const timers = clients.map((client, i) => {
      let askedMs = 0;
      client.onReplies = () => histogram.record(Math.max(1, Math.round((performance.now() - askedMs) * 1_000)));
      const ask = () => {
        askedMs = performance.now();
        client.ask(1);
      };
      return setTimeout(() => (timers[i] = setInterval(ask, everyMs)), (i * everyMs) / count);
    });
    await pause(500);
    histogram.reset();
    await pause(measureMs);
    for (const timer of timers) clearInterval(timer);
    for (const { socket } of clients) socket.destroy();
    return { p50Us: histogram.percentile(50), p99Us: histogram.percentile(99) };
  },

  /** Connections that have each said one thing, and say nothing more. As many as one process may have files for both ends of. */
  async idle(port, { clients: count = 8_000 }) {
    await looked('begin');
    const clients = await openAll(port, count);
    for (const client of clients) client.ask(1);
    await pause(1_000);
    await looked('end');
    for (const { socket } of clients) socket.destroy();
    return { clients: count };
  },

  /** Connections that are opened, answered and closed, 20 at a time. */
  async connects(port, { atOnce = 20, measureMs = 3_000 }) {
    let opened = 0;
    await looked('begin');
    const startMs = performance.now();
    const worker = async () => {
      while (performance.now() - startMs < measureMs) {
        const { socket } = await open(port);
        opened++;
        socket.destroy();
      }
    };
    await Promise.all(Array.from({ length: atOnce }, worker));
    const perSecond = (opened / (performance.now() - startMs)) * 1_000;
    await looked('end');
    return { perSecond, opened };
  },
};

backend.listen(0, '127.0.0.1', () => tell({ what: 'listening', port: backend.address().port }));
process.on('message', (message) => {
  if (message.phase) void run(message);
});
async function run({ phase, port, options = {} }) {
  tell({ what: 'result', result: await phases[phase](port, options) });
}
