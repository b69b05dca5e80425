import { setImmediate as nextTurn } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { randomSeed, SEED_LIMIT } from '@holdfast/testing';
import { minimise } from './minimise.js';
import { PLANTS } from './plants.js';
import { run, type RunOptions, type RunResult } from './run.js';

const USAGE = `Runs the simulator: real clients and pods over models of network and store.

  npm run simulate -- --seed N          one seed
  npm run simulate -- --seeds K         K seeds, fresh ones unless --from says where to begin
  npm run simulate -- --minutes T       fresh seeds for so long

  --from N       the first of the seeds
  --steps M      steps of each seed until everything is repaired and has to come to rest (default 10000)
  --only 3,7,9   only these operations of the schedule happen
  --plant NAME   with a deliberate bug
  --trace        print all that happens
`;

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seeds: { type: 'string' },
    minutes: { type: 'string' },
    from: { type: 'string' },
    steps: { type: 'string', default: '10000' },
    only: { type: 'string' },
    plant: { type: 'string' },
    trace: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

const print = (line: string): void => void process.stdout.write(`${line}\n`);

function commandOf(seed: number, what: string): string {
  const plant = values.plant === undefined ? '' : ` --plant '${values.plant}'`;
  return `npm run simulate -- --seed ${seed} ${what}${plant}`;
}

async function report(options: RunOptions, failed: RunResult): Promise<void> {
  const { seed } = options;
  print(`seed ${seed}: ${failed.violation?.kind}: ${failed.violation?.detail} (step ${failed.steps})`);
  if (options.only) return;
  print(`  replay: ${commandOf(seed, `--steps ${options.steps}`)}`);
  const { only, result } = await minimise(options, failed, run);
  print(`  ${failed.ops} operations minimised to ${only.length}: ${result.violation?.detail}`);
  print(`  replay: ${commandOf(seed, `--only ${only.join(',')}`)}`);
}

async function main(): Promise<boolean> {
  const plant = values.plant === undefined ? undefined : PLANTS[values.plant];
  if (values.help || (values.plant !== undefined && !plant)) {
    print(plant ? USAGE : `${USAGE}\nplants:\n  ${Object.keys(PLANTS).join('\n  ')}`);
    return values.help;
  }
  const isOne = values.seed !== undefined;
  const first = Number(values.seed ?? values.from ?? randomSeed());
  const count = isOne ? 1 : Number(values.seeds ?? (values.minutes === undefined ? 200 : Infinity));
  const only = values.only?.split(',').map(Number);
  const startMs = performance.now();
  const endMs = startMs + Number(values.minutes ?? Infinity) * 60_000;
  print(`seeds from ${first}`);
  let [steps, seeds, violations] = [0, 0, 0];
  for (; seeds < count && performance.now() < endMs; seeds++) {
    const options: RunOptions = {
      seed: (first + seeds) % SEED_LIMIT,
      steps: Number(values.steps),
      only,
      ...(plant && { plant }),
      ...(values.trace && { trace: print }),
    };
    const result = await run(options);
    steps += result.steps;
    if (result.violation) {
      violations++;
      await report(options, result);
    }
    // Errors that nobody has caught are told between turns.
    await nextTurn();
  }
  const seconds = (performance.now() - startMs) / 1_000;
  const rate = Math.round(steps / seconds);
  print(`${seeds} seeds, ${steps} steps, ${seconds.toFixed(1)} s, ${rate} steps/s, ${violations} violations`);
  return violations === 0;
}

process.exitCode = (await main()) ? 0 : 1;
