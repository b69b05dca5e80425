import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Gateway } from '@holdfast/gateway';
import { parse, pick } from '@holdfast/policy';
import { collect, freePort, type RunningProcess, startProcess, until } from '@holdfast/testing';
import { afterEach, expect, it } from 'vitest';
import { WebSocket } from 'ws';

const leftovers: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of leftovers.splice(0).reverse()) await end();
});

const startBackend = (port: number): Promise<RunningProcess> =>
  startProcess({
    command: '/usr/bin/python3',
    args: [fileURLToPath(new URL('fixtures/echo-backend.py', import.meta.url)), `${port}`],
    ready: /^ready$/,
    linesMax: 100_000,
  });

/** Three backends, and a gateway that holds the clients of them. */
async function start(hold = '{}') {
  const ports = await Promise.all([freePort(), freePort(), freePort()]);
  const running = await Promise.all(ports.map(startBackend));
  const all = [...running];
  const { policy, problems } = parse(`
name: test
environments:
  development:
    hosts: ["127.0.0.1"]
    pods: [${ports.map((port) => `"127.0.0.1:${port}"`).join(', ')}]
    routes: [{ websocket: /, carry: hold, hold: ${hold} }]
    health: { check: off, failTimeout: 1s, slowStart: 1s }
    gateway: { listen: ["127.0.0.1:0"], accessLog: json }
`);
  if (!policy) throw new Error(JSON.stringify(problems));
  const log: string[] = [];
  const gateway = new Gateway(pick(policy, 'development'), { output: (text) => void log.push(text) });
  await gateway.start();
  leftovers.push(
    () => Promise.all(all.map((backend) => backend.stop(1))),
    () => gateway.close(),
  );
  const linesOf = (pattern: RegExp): RegExpExecArray[] =>
    all.flatMap((backend) =>
      [...backend.stdout.kept].map((line) => pattern.exec(line)).filter((match) => match !== null),
    );
  return {
    url: `ws://127.0.0.1:${gateway.addresses[0]?.port}/`,
    log,
    linesOf,
    /** The backend that the client is at. */
    serving: () => running.findIndex((backend) => [...backend.stdout.kept].some((line) => line.startsWith('open'))),
    async restart(index: number, signal: NodeJS.Signals): Promise<void> {
      running[index]?.kill(signal);
      await running[index]?.exited;
      const again = await startBackend(ports.at(index) ?? 0);
      running[index] = again;
      all.push(again);
    },
  };
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);

it('keeps a plain client while three Python backends are restarted one after another and one is killed', async () => {
  const { url, log, linesOf, restart, serving } = await start();
  const client = new WebSocket(url, ['chat']);
  const closes = collect(client, 'close');
  const answers = collect<Buffer>(client, 'message', { itemsMax: 100_000 });
  await once(client, 'open');
  let sent = 0;
  let isTalking = true;
  const talking = (async () => {
    while (isTalking) {
      client.send(`${++sent}`);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  })();
  const numbersOf = (pattern: RegExp): number[] => linesOf(pattern).map((match) => Number(match[1]));
  const got = (): number[] => numbersOf(/^got (\d+)$/);
  /** What the newest backend was told of the client's connection, and the backends that there were. */
  const told = () => {
    const opened = linesOf(
      /^open connection-id=(\S+) attempt=(\d+) replayed=\S+ unanswered=(\S+) unknown=(\S+) resent=(\S+)/,
    );
    const newest = opened.find((match) => Number(match[2]) === opened.length) ?? [];
    // Before the second backend there is nothing to tell.
    const toldOf = (group: number): number => (newest[group] === 'None' ? 0 : Number(newest[group] ?? 0));
    const ids = new Set(opened.map((match) => match[1])).size;
    return { unanswered: toldOf(3), unknown: toldOf(4), resent: toldOf(5), attempts: opened.length, ids };
  };
  const answered = (): number => answers.items.length;
  for (const index of [0, 1, 2]) {
    const before = answered();
    await until(() => answered() > before + 50, { what: 'talk' });
    await restart(index, 'SIGTERM');
  }
  const before = answered();
  await until(() => answered() > before + 50, { what: 'talk after the restarts' });
  isTalking = false;
  await talking;
  const isTold = (count: number): boolean => count + told().unanswered >= sent;
  await until(() => isTold(got().length) && isTold(answered()), { what: 'all messages at some backend, and answered' });
  // Every message has been answered by one backend, in order and once; or a backend had read it and begun to close before it could
  // answer, and the next was told so. One that it read so late that it could not even confirm it, the next has got and answered.
  const { unanswered: unansweredBefore, resent } = told();
  const missing = upTo(sent).filter((n) => !got().includes(n));
  const late = numbersOf(/^late (\d+)$/);
  expect(missing).toHaveLength(unansweredBefore);
  expect(late).toEqual(expect.arrayContaining(missing));
  expect(late.length - missing.length).toBeLessThanOrEqual(resent);
  const inOrder = upTo(sent).filter((n) => !missing.includes(n));
  expect(got().sort((a, b) => a - b)).toEqual(inOrder);
  expect(answers.items.map((answer) => Number(String(answer).split(' ')[1]))).toEqual(inOrder);
  expect(linesOf(/^closed (\d+)$/).map((match) => match[1])).toContain('1001');
  expect([client.readyState, client.protocol, closes.items.length]).toEqual([WebSocket.OPEN, 'chat', 0]);

  // One that is killed has taken three and answered none of them; what it said of the others is not in doubt.
  const index = serving();
  for (const n of [1, 2, 3]) client.send(`keep ${n}`);
  await until(() => linesOf(/^got keep 3$/).length === 1, { what: 'what is kept' });
  await restart(index, 'SIGKILL');
  const answeredBefore = answered();
  for (const n of [1, 2, 3]) client.send(`${sent + n}`);
  await until(() => answered() === answeredBefore + 3, { what: 'answers of the next backend' });
  expect(got().slice(-3)).toEqual([sent + 1, sent + 2, sent + 3]);
  expect(linesOf(/^got keep/)).toHaveLength(3);
  const unanswered = unansweredBefore + 3;
  const { attempts } = told();
  expect(told()).toMatchObject({ unanswered, unknown: 0, ids: 1 });
  expect(closes.items).toHaveLength(0);
  client.close(4000, 'done');
  await closes.waitFor(1);
  await until(() => log.length > 0, { what: 'the access log' });
  const line = JSON.parse(log.join('').trim()) as Record<string, unknown>;
  expect(line).toMatchObject({
    closedBy: 'client',
    closeCode: 4000,
    held: { attempts, unanswered, unknown: 0 },
  });
});
