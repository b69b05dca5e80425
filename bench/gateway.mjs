// `npm run bench:gateway`: the gateway beside nginx and HAProxy. Each proxy alone on one core, both ends of the load on the other.
// Options: --runs N (default 5), --only NAME,NAME, --json. Needs nginx and haproxy. With `--only nginx,bare`: what a proxy in Node does at best.
import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
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
const folder = mkdtempSync(join(tmpdir(), 'holdfast-bench-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
const TICKS_PER_SECOND = 100;

const nginxConf = (port, to) => `daemon off; master_process off; pid ${folder}/pid; error_log /dev/null;
worker_rlimit_nofile 65536;
events { worker_connections 32768; }
http {
  access_log off; client_body_temp_path ${folder}/b; proxy_temp_path ${folder}/p; fastcgi_temp_path ${folder}/f;
  uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
  map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
  upstream pods { server 127.0.0.1:${to}; }
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location / {
      proxy_pass http://pods; proxy_http_version 1.1; proxy_read_timeout 1h;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;
      proxy_set_header Host $http_host; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    }
  }
}`;

const haproxyConf = (port, to) => `global
  nbthread 1
  maxconn 9000
defaults
  mode http
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  timeout tunnel 1h
frontend f
  bind 127.0.0.1:${port} backlog 4096
  option forwardfor
  default_backend b
backend b
  server s 127.0.0.1:${to}
`;

const script = (name, ...args) => ({
  command: process.execPath,
  args: [join(import.meta.dirname, 'servers', name), ...args],
  says: /listening on (\d+)/,
});
const gateway = (carry) => (_port, to) => script('gateway.mjs', carry, String(to));

/** How each proxy is started on a port, in front of another. */
const PROXIES = {
  nginx: (port, to) => {
    writeFileSync(join(folder, 'nginx.conf'), nginxConf(port, to));
    return { command: 'nginx', args: ['-p', folder, '-e', '/dev/null', '-c', join(folder, 'nginx.conf')] };
  },
  haproxy: (port, to) => {
    writeFileSync(join(folder, 'haproxy.cfg'), haproxyConf(port, to));
    return { command: 'haproxy', args: ['-db', '-q', '-f', join(folder, 'haproxy.cfg')] };
  },
  relay: gateway('relay'),
  hold: gateway('hold'),
  bare: (_port, to) => script('bare.mjs', String(to)),
};
const names = values.only?.split(',') ?? Object.keys(PROXIES).filter((name) => name !== 'bare');
for (const name of names)
  if (!PROXIES[name]) throw new Error(`--only ${name}: one of ${Object.keys(PROXIES).join(', ')}`);

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

async function startProxy(name, to) {
  const wanted = await freePort();
  const { command, args, says } = PROXIES[name](wanted, to);
  const child = spawn('taskset', ['-c', '0', command, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  let port = wanted;
  if (says) {
    let said = '';
    while (!says.test(said)) said += String((await once(child.stdout, 'data'))[0]);
    port = Number(says.exec(said)[1]);
  }
  child.stdout.resume();
  while (!(await answers(port))) {
    if (child.exitCode !== null) throw new Error(`${name} ended with code ${child.exitCode} before it listened`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return { child, port };
}

const answers = (port) =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('connect', () => resolve(true)).on('error', () => resolve(false));
    socket.on('connect', () => socket.destroy());
  });

/** Processor time and memory of a process, from outside: the same for all. */
function usage(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  const rss = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1];
  return { cpuSeconds: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND, rssKiB: Number(rss) };
}

/** Runs one phase against a port; `pid` is the proxy's, to be looked at. */
async function run(load, port, phase, options, pid) {
  const seen = {};
  const result = await new Promise((resolve) => {
    const take = (message) => {
      if (message.what === 'result') {
        load.off('message', take);
        return resolve(message.result);
      }
      if (pid !== undefined) seen[message.what] = usage(pid);
      return load.send({ looked: true });
    };
    load.on('message', take);
    load.send({ phase, port, options });
  });
  const cpuSeconds = (seen.end?.cpuSeconds ?? 0) - (seen.begin?.cpuSeconds ?? 0);
  return { ...result, cpuSeconds, grownKiB: (seen.end?.rssKiB ?? 0) - (seen.begin?.rssKiB ?? 0) };
}

const load = fork(join(import.meta.dirname, 'relay-load.mjs'), {
  execPath: 'taskset',
  execArgv: ['-c', '1', process.execPath, '--max-semi-space-size=64'],
});
const [{ port: backend }] = await once(load, 'message');

const figures = {};
const note = (name, column, value) => ((figures[name] ??= {})[column] ??= []).push(value);
for (let i = 1; i <= runs; i++) {
  const direct = await run(load, backend, 'latency', {});
  for (const name of names) {
    const { child, port } = await startProxy(name, backend);
    const { pid } = child;
    const idle = await run(load, port, 'idle', {}, pid);
    note(name, 'idleKiB', idle.grownKiB / idle.clients);
    const batched = await run(load, port, 'throughput', { clients: 50, depth: 16 }, pid);
    note(name, 'batchedPerSecond', batched.perSecond);
    note(name, 'batchedPerCore', batched.messages / batched.cpuSeconds);
    const single = await run(load, port, 'throughput', { clients: 200, depth: 1 }, pid);
    note(name, 'singlePerSecond', single.perSecond);
    note(name, 'singlePerCore', single.messages / single.cpuSeconds);
    const latency = await run(load, port, 'latency', {});
    note(name, 'p50Us', latency.p50Us - direct.p50Us);
    note(name, 'p99Us', latency.p99Us - direct.p99Us);
    const connects = await run(load, port, 'connects', {}, pid);
    note(name, 'connectsPerSecond', connects.perSecond);
    note(name, 'connectsPerCore', connects.opened / connects.cpuSeconds);
    child.kill('SIGKILL');
    await once(child, 'exit');
    if (!values.json) process.stderr.write(`run ${i}/${runs}: ${name} done\n`);
  }
}
load.kill('SIGKILL');

const columns = {
  batchedPerSecond: 'messages/s, 50 x 16',
  batchedPerCore: 'per core-second',
  singlePerSecond: 'messages/s, 200 x 1',
  singlePerCore: 'per core-second',
  p50Us: 'added p50 us',
  p99Us: 'added p99 us',
  idleKiB: 'KiB a connection',
  connectsPerSecond: 'connections/s',
  connectsPerCore: 'per core-second',
};
if (values.json) {
  console.log(JSON.stringify({ cpu: cpus()[0].model, node: process.version, runs, figures }));
} else {
  console.log(`\n${cpus()[0].model}, Node ${process.version}, ${runs} runs, 100-byte messages; median (min-max)`);
  printTable(figures, columns);
  const median = (name, column) => spread(figures[name]?.[column] ?? []).median;
  for (const [name, than] of [
    ['relay', 'nginx'],
    ['relay', 'haproxy'],
    ['bare', 'nginx'],
    ['hold', 'relay'],
  ]) {
    if (!figures[name] || !figures[than]) continue;
    const of = Object.keys(columns).filter((column) => !column.startsWith('p'));
    const ratios = of.map((column) => `${column} ${(median(name, column) / median(than, column)).toFixed(2)}`);
    console.log(`${name} / ${than}: ${ratios.join(', ')}`);
  }
}
