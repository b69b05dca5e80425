// `npm run bench:echo`: echo beside ws and Socket.IO, each server alone on one core, the load on another.
// Options: --runs N (default 5), --only KIND,KIND, --json.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { printTable, spread } from './report.mjs';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '5' },
    only: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});
const runs = Number(values.runs);
const kinds = values.only?.split(',') ?? ['ws', 'holdfast', 'socket-io'];
const here = (path) => fileURLToPath(new URL(path, import.meta.url));

/** A Node process on one processor, so that neither end of a measurement takes the other's. */
const start = (cpu, path, args = []) =>
  fork(here(path), args, {
    execPath: 'taskset',
    execArgv: ['-c', String(cpu), process.execPath, '--expose-gc', '--max-semi-space-size=64'],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });

const ask = async (child, request) => {
  child.send(request);
  return (await once(child, 'message'))[0];
};

async function measure(kind, phase) {
  const server = start(0, `servers/${kind}.mjs`);
  const [{ port }] = await once(server, 'message');
  const empty = await ask(server, 'usage');
  const load = start(1, 'load.mjs', [kind, String(port), phase]);
  await once(load, 'message');
  const before = await ask(server, 'usage');
  const [{ result }] = await once(load, 'message');
  const after = await ask(server, 'usage');
  server.kill('SIGKILL');
  load.kill('SIGKILL');
  return { ...result, empty, before, after };
}

const figures = {};
for (let run = 1; run <= runs; run++) {
  for (const kind of kinds) {
    const throughput = await measure(kind, 'throughput');
    const latency = await measure(kind, 'latency');
    const idle = await measure(kind, 'idle');
    const cpuMs = throughput.after.cpuMs - throughput.before.cpuMs;
    const all = (figures[kind] ??= { perSecond: [], perCpuSecond: [], p50Ms: [], p99Ms: [], idleKiB: [] });
    all.perSecond.push(throughput.perSecond);
    all.perCpuSecond.push(throughput.echoes / (cpuMs / 1_000));
    all.p50Ms.push(latency.p50Ms);
    all.p99Ms.push(latency.p99Ms);
    all.idleKiB.push((idle.before.heap - idle.empty.heap) / idle.clients / 1_024);
    if (!values.json) process.stderr.write(`run ${run}/${runs}: ${kind} done\n`);
  }
}

if (values.json) {
  console.log(JSON.stringify({ cpu: cpus()[0].model, node: process.version, runs, figures }));
} else {
  console.log(`\n${cpus()[0].model}, Node ${process.version}, ${runs} runs, 100-byte messages; median (min-max)`);
  const columns = {
    perSecond: 'echoes/s',
    perCpuSecond: 'echoes per core-second',
    p50Ms: 'round trip p50 ms',
    p99Ms: 'p99 ms',
    idleKiB: 'KiB per idle connection',
  };
  printTable(figures, columns);
  for (const column of ['perSecond', 'perCpuSecond', 'idleKiB']) {
    const of = (kind) => spread(figures[kind]?.[column] ?? []).median;
    for (const other of kinds.filter((kind) => kind !== 'holdfast')) {
      console.log(`${columns[column]}: holdfast / ${other} = ${(of('holdfast') / of(other)).toFixed(2)}`);
    }
  }
}
