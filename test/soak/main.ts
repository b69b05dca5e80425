import { parseArgs } from 'node:util';
import { randomSeed, SEED_LIMIT } from '@holdfast/testing';
import { type Percentiles } from './figures.js';
import { runSoak, type SoakOptions, type SoakResult } from './soak.js';

const USAGE = `Runs real pods, a real Redis and many real clients, disturbs them, and judges what was delivered.

  npm run soak                        chaos: cuts, SIGKILL of pods, two rolling restarts, Redis paused and killed
  npm run soak -- --scenario rollout  one rolling restart and nothing else; the peak of reconnects must stay under the cap

  --minutes T        how long messages flow (default 10; a rollout 1)
  --clients N        default 1000; a rollout 2000
  --client-processes N   processes that the clients are in (default 2)
  --pods N           default 3
  --rate R           messages per second of each client, each of which is echoed (default 0.5; a rollout 0.2)
  --news R           messages per second to all clients (default 0.5; a rollout 0.2)
  --cut-every S      seconds between the cuts of one client, about (default 15)
  --offline S        seconds that a cut lasts, about (default 2)
  --kill-every S     seconds between kills of a random pod, about (default 30)
  --redis-pause S    seconds that Redis is stopped for (default 5)
  --drain-rate N     moves per second that a drain asks for (default 200)
  --tolerance S      by what share of that a busy machine may bunch up the reconnects of a second in a rollout (default 0)
  --seed N           what is random is drawn from it (default: a fresh one, which is printed)
  --json             print the result as one JSON object; progress goes to stderr in any case
  --help

It needs redis-server on the PATH and a build (npm run build). Exit codes: 0 when nothing was lost, duplicated, swapped, closed or missing
without a word; 1 when something was; 2 for a wrong command line.
`;

const OPTIONS = {
  scenario: { type: 'string', default: 'chaos' },
  minutes: { type: 'string' },
  clients: { type: 'string' },
  'client-processes': { type: 'string', default: '2' },
  pods: { type: 'string', default: '3' },
  rate: { type: 'string' },
  news: { type: 'string' },
  'cut-every': { type: 'string', default: '15' },
  offline: { type: 'string', default: '2' },
  'kill-every': { type: 'string', default: '30' },
  'redis-pause': { type: 'string', default: '5' },
  'drain-rate': { type: 'string', default: '200' },
  tolerance: { type: 'string', default: '0' },
  seed: { type: 'string' },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const;

class WrongUsage extends Error {}

function read(argv: readonly string[]): { options: SoakOptions; json: boolean } | 'help' {
  let values;
  try {
    ({ values } = parseArgs({ args: [...argv], options: OPTIONS }));
  } catch (error) {
    throw new WrongUsage((error as Error).message);
  }
  if (values.help) return 'help';
  const { scenario } = values;
  if (scenario !== 'chaos' && scenario !== 'rollout') throw new WrongUsage(`--scenario ${scenario}: chaos or rollout`);
  const isRollout = scenario === 'rollout';
  const number = (flag: string, text: string, min: number, max: number, isWhole = false): number => {
    const value = Number(text);
    if (text !== '' && value >= min && value <= max && (!isWhole || Number.isInteger(value))) return value;
    throw new WrongUsage(`--${flag} ${text}: a ${isWhole ? 'whole ' : ''}number from ${min} to ${max}`);
  };
  const ms = (flag: 'cut-every' | 'offline' | 'kill-every' | 'redis-pause'): number =>
    1_000 * number(flag, values[flag], 0.1, 3_600);
  const options: SoakOptions = {
    scenario,
    seed: number('seed', values.seed ?? String(randomSeed()), 0, SEED_LIMIT - 1, true),
    durationMs: 60_000 * number('minutes', values.minutes ?? (isRollout ? '1' : '10'), 0.1, 1_440),
    clients: number('clients', values.clients ?? (isRollout ? '2000' : '1000'), 1, 20_000, true),
    clientProcesses: number('client-processes', values['client-processes'], 1, 16, true),
    pods: number('pods', values.pods, 2, 16, true),
    messagesPerSecond: number('rate', values.rate ?? (isRollout ? '0.2' : '0.5'), 0.01, 1_000),
    newsPerSecond: number('news', values.news ?? (isRollout ? '0.2' : '0.5'), 0.01, 1_000),
    cutMs: ms('cut-every'),
    offlineMs: ms('offline'),
    killMs: ms('kill-every'),
    redisPauseMs: ms('redis-pause'),
    drainRate: number('drain-rate', values['drain-rate'], 1, 100_000, true),
    tolerance: number('tolerance', values.tolerance, 0, 10),
  };
  return { options, json: values.json };
}

const line = (name: string, { count, p50, p99, max }: Percentiles): string =>
  `${name.padEnd(44)} p50 ${p50} ms, p99 ${p99} ms, max ${max} ms (${count})`;

function inWords(result: SoakResult): string {
  const { sent, received, lost, duplicated, outOfOrder, declared, gaps, closes } = result;
  return [
    `${result.scenario}, seed ${result.seed}: ${result.clients} clients, ${result.pods} pods, ${Math.round(result.tookMs / 1_000)} s`,
    `${result.cuts} cuts, ${result.kills} kills, ${result.rollingRestarts} rolling restarts, ` +
      `redis paused ${result.redisPauses} and restarted ${result.redisRestarts} times`,
    `${sent} sent, ${received} received, ${lost} lost, ${duplicated} duplicated, ${outOfOrder} out of order`,
    `${gaps} gaps (${declared} messages), ${closes} closes, ${result.recoveries} recoveries, ${result.moves} moves, ` +
      `${result.replayed} replayed, ${result.refusedSends} sends refused`,
    line('lost until all is there', result.awayMs),
    line('network back until all is there', result.recoveryMs),
    line('attached until all is there', result.replayMs),
    line('without a transport, of each client in all', result.transportlessMs),
    `most reconnects begun within a second: ${result.peakReconnectsPerSecond}` +
      (result.reconnectCapPerSecond === undefined ? '' : `, cap ${result.reconnectCapPerSecond}`),
    ...(result.ok ? ['ok'] : ['FAILED', ...result.problems.map((problem) => `  ${problem}`)]),
  ].join('\n');
}

async function main(): Promise<number> {
  const asked = read(process.argv.slice(2));
  if (asked === 'help') {
    process.stdout.write(USAGE);
    return 0;
  }
  const say = (text: string): void => void process.stderr.write(`${text}\n`);
  say(`seed ${asked.options.seed}`);
  const result = await runSoak(asked.options, say);
  process.stdout.write(`${asked.json ? JSON.stringify(result) : inWords(result)}\n`);
  return result.ok ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  const isUsage = error instanceof WrongUsage;
  process.stderr.write(isUsage ? `${error.message}\nnpm run soak -- --help says more\n` : `${String(error)}\n`);
  process.exitCode = isUsage ? 2 : 1;
}
