// The load generator, in a process of its own. Usage: node load.mjs KIND PORT PHASE, phases as below; prints one line of JSON.
import { createHistogram } from 'node:perf_hooks';
import { connect } from './connect.mjs';

const [kind, port, phase] = process.argv.slice(2);
const PAYLOAD = 'x'.repeat(100);

/** Opens clients some at a time, so that no listen queue runs over. */
async function open(count) {
  const clients = [];
  while (clients.length < count) {
    const some = Math.min(50, count - clients.length);
    clients.push(...(await Promise.all(Array.from({ length: some }, () => connect[kind](port)))));
  }
  return clients;
}

const phases = {
  /** As many echoes as there is processor for: each of 50 clients keeps 16 messages on their way. */
  async throughput({ clients: count = 50, depth = 16, warmMs = 1_500, measureMs = 4_000 } = {}) {
    const clients = await open(count);
    let echoes = 0;
    for (const client of clients) {
      client.onText = () => {
        echoes++;
        client.send(PAYLOAD);
      };
      for (let i = 0; i < depth; i++) client.send(PAYLOAD);
    }
    await pause(warmMs);
    process.send('begin');
    const before = echoes;
    const startMs = performance.now();
    await pause(measureMs);
    const perSecond = ((echoes - before) / (performance.now() - startMs)) * 1_000;
    return { echoes: echoes - before, perSecond };
  },

  /** Round trips at a load far below what the server can do: 20 clients, one message each every 10 ms. */
  async latency({ clients: count = 20, everyMs = 10, measureMs = 4_000 } = {}) {
    const clients = await open(count);
    const histogram = createHistogram({ lowest: 1, highest: 10_000_000_000, figures: 3 });
    for (const [i, client] of clients.entries()) {
      client.onText = (text) => histogram.record(Math.max(1, Math.round((performance.now() - Number(text)) * 1_000)));
      setTimeout(() => setInterval(() => client.send(String(performance.now())), everyMs), (i * everyMs) / count);
    }
    await pause(1_000);
    histogram.reset();
    process.send('begin');
    await pause(measureMs);
    return { p50Ms: histogram.percentile(50) / 1_000, p99Ms: histogram.percentile(99) / 1_000, trips: histogram.count };
  },

  /** Connections that say nothing. The parent looks at the server's memory. */
  async idle({ clients: count = 2_000 } = {}) {
    await open(count);
    process.send('begin');
    await pause(3_000);
    return { clients: count };
  },
};

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const result = await phases[phase]();
process.send({ result });
process.disconnect();
process.exit(0);
