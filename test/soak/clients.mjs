// Some of the clients of the soak, in a process of their own so that they disturb no pod. It is told what to do over IPC, and judges what arrives.
import { WebSocket } from '@holdfast/client';
import { ChaosProxy, DeliveryLedger, seededRandom } from '@holdfast/testing';
import { WebSocket as Ws } from 'ws';

/** @typedef {import('./protocol.js').ClientOrder} ClientOrder */
/** @typedef {import('./protocol.js').ClientSettings} ClientSettings */

/** How finely it is seen when a client is attached again, before it has all that it missed. */
const LOOK_MS = 20;
/** More samples than this of one kind are not kept. */
const SAMPLES_MAX = 500_000;
/** Clients that connect at a time. */
const CONNECT_AT_ONCE = 50;

const ledger = new DeliveryLedger();
const counts = { gaps: 0, closes: 0, recoveries: 0, moves: 0, cuts: 0, refusedSends: 0 };
/** @type {import('./protocol.js').Samples} */
const samples = { awayMs: [], recoveryMs: [], replayMs: [], dialledAtMs: [] };
/** @type {Client[]} */
const clients = [];
let talking = true;
let chaos = true;

/** @param {number[]} list @param {number} value */
const sample = (list, value) => void (list.length < SAMPLES_MAX && list.push(Math.round(value)));
/** @param {number} ms */
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** What the client makes its transports of by itself, and a note of when. */
class Dialled extends Ws {
  /** @param {string | URL} url @param {string | string[]} [protocols] */
  constructor(url, protocols) {
    super(url, protocols, { perMessageDeflate: false });
    sample(samples.dialledAtMs, Date.now());
  }
}

class Client {
  sent = 0;
  /** In all, without a transport. */
  transportlessMs = 0;
  #lostMs = 0;
  /** Since when it has no transport. */
  #goneMs = 0;
  #onlineMs = 0;
  /** @type {number | undefined} */
  #attachedMs;

  /**
   * @param {number} number
   * @param {ClientSettings} settings
   * @param {import('@holdfast/testing').Random} random
   */
  constructor(number, settings, random) {
    this.number = number;
    this.settings = settings;
    this.random = random;
  }

  async connect() {
    const { port, cutMs } = this.settings;
    if (cutMs > 0) {
      this.proxy = await ChaosProxy.listen({ target: { port }, seed: this.random.int(1, 2 ** 31) });
    }
    const url = this.proxy ? this.proxy.url('/') : `ws://127.0.0.1:${port}/`;
    const socket = new WebSocket(url, [], {
      random: this.random.fork(1),
      breaker: { failures: 1_000, openMs: 100 },
      WebSocket: /** @type {typeof globalThis.WebSocket} */ (/** @type {unknown} */ (Dialled)),
    });
    this.socket = socket;
    await new Promise((resolve) => {
      socket.onmessage = ({ data }) => (data === 'ready' ? resolve(undefined) : this.#heard(String(data)));
    });
    socket.addEventListener('gap', ({ topic, from, to }) => this.#gap(topic, from, to));
    socket.addEventListener('close', ({ code }) => {
      if (talking) process.send?.({ type: 'note', text: `client ${this.number} was closed with ${code}` });
      counts.closes++;
    });
    socket.addEventListener('recovering', () => this.#lost());
    socket.addEventListener('recovered', () => this.#recovered());
    socket.addEventListener('moved', () => {
      counts.moves++;
    });
  }

  /** @param {string} text */
  #heard(text) {
    const kind = text[0] === 'n' ? 'news' : 'echo';
    ledger.received(`${kind} ${this.number}`, Number(text.slice(2)));
  }

  /** @param {string} topic @param {number} from @param {number} to */
  #gap(topic, from, to) {
    counts.gaps++;
    process.send?.({ type: 'note', text: `client ${this.number}: a gap in "${topic}" from ${from} to ${to}` });
    // Each stream has 'ready' or nothing before its first message: only of topics the offsets are the numbers.
    if (topic === 'news' && from > 0) ledger.gap(`news ${this.number}`, from, to);
  }

  #lost() {
    this.#lostMs = this.#goneMs = Date.now();
    this.#attachedMs = undefined;
  }

  look() {
    if (this.#lostMs === 0) return;
    const isOpen = this.socket?.getStatistics().state === 'open';
    if (isOpen && this.#attachedMs === undefined) this.#attached();
    if (isOpen || this.#attachedMs === undefined) return;
    // Lost once more, before it had all.
    this.#goneMs = Date.now();
    this.#attachedMs = undefined;
  }

  #attached() {
    const nowMs = Date.now();
    this.#attachedMs = nowMs;
    this.transportlessMs += nowMs - this.#goneMs;
  }

  #recovered() {
    if (this.#lostMs === 0) return;
    const nowMs = Date.now();
    if (this.#attachedMs === undefined) this.#attached();
    counts.recoveries++;
    sample(samples.awayMs, nowMs - this.#lostMs);
    sample(samples.recoveryMs, nowMs - Math.max(this.#lostMs, this.#onlineMs));
    sample(samples.replayMs, nowMs - (this.#attachedMs ?? nowMs));
    this.#lostMs = 0;
  }

  async talk() {
    const everyMs = 1_000 / this.settings.messagesPerSecond;
    await pause(this.random() * everyMs);
    while (talking) {
      try {
        this.socket?.send(`e ${this.sent + 1}`);
        this.sent++;
        ledger.sent(`echo ${this.number}`, this.sent);
      } catch {
        counts.refusedSends++;
      }
      await pause(everyMs * (0.5 + this.random()));
    }
  }

  async suffer() {
    const { cutMs, offlineMs } = this.settings;
    while (this.proxy && chaos) {
      await pause(cutMs * (0.5 + this.random()));
      if (!chaos) return;
      const forMs = Math.round(offlineMs * (0.5 + this.random()));
      this.proxy.offline(forMs);
      this.#onlineMs = Date.now() + forMs;
      counts.cuts++;
      await pause(forMs);
    }
  }
}

/** @param {ClientSettings} settings */
async function begin(settings) {
  const random = seededRandom(settings.seed);
  for (let i = 0; i < settings.clients; i++) {
    clients.push(new Client(settings.first + i, settings, random.fork(settings.first + i)));
  }
  for (let i = 0; i < clients.length; i += CONNECT_AT_ONCE) {
    await Promise.all(clients.slice(i, i + CONNECT_AT_ONCE).map((client) => client.connect()));
  }
  setInterval(() => {
    for (const client of clients) client.look();
  }, LOOK_MS);
  setInterval(progress, 1_000);
  process.send?.({ type: 'connected' });
}

function progress() {
  const { sent, received } = ledger.report();
  const away = clients.filter(({ socket }) => socket?.getStatistics().state === 'recovering').length;
  process.send?.({ type: 'progress', sent, received, away, ...counts });
}

/** @param {number} news How many there were. */
function finish(news) {
  for (const { number } of clients) for (let n = 1; n <= news; n++) ledger.sent(`news ${number}`, n);
  const transportlessMs = clients.map((client) => client.transportlessMs);
  const replayed = clients.reduce((sum, { socket }) => sum + (socket?.getStatistics().replayed ?? 0), 0);
  const report = { ...ledger.report(), ...counts, replayed };
  process.send?.({ type: 'finished', report, samples: { ...samples, transportlessMs } });
}

process.on('message', (/** @type {ClientOrder} */ order) => {
  switch (order.type) {
    case 'begin':
      void begin(order.settings);
      break;
    case 'talk':
      for (const client of clients) {
        void client.talk();
        void client.suffer();
      }
      break;
    case 'calm':
      chaos = false;
      break;
    case 'hush':
      talking = false;
      break;
    case 'finish':
      finish(order.news);
      break;
  }
});
process.on('disconnect', () => process.exit(1));
