import { MemoryStore } from '@holdfast/store';
import { seededRandom } from '@holdfast/testing';
import { drive } from './drive.js';
import { NO_PLANT, type Plant } from './plants.js';
import { opOf, settingOf, type Op } from './schedule.js';
import { withSeededIds } from './seeded-ids.js';
import { Verdict, type Violation } from './verdict.js';
import { World } from './world.js';

export interface RunOptions {
  readonly seed: number;
  /** Steps after which nothing new happens any more: then everything has to come to rest. */
  readonly steps: number;
  /** Only these operations of the schedule happen, at their times. Default: all, until the steps are done. */
  readonly only?: readonly number[] | undefined;
  readonly plant?: Plant;
  readonly trace?: (line: string) => void;
}

export interface RunResult {
  readonly seed: number;
  readonly steps: number;
  /** Operations of the schedule that were performed. */
  readonly ops: number;
  readonly violation: Violation | undefined;
}

/** Every so many-th seed runs behind a gateway. It is not drawn, so that seeds that have found something stay what they were. */
const GATEWAY_SEEDS = 3;
/** How often bounds are looked at. */
const BOUNDS_STEPS = 256;
/** Steps without the clock moving on, after which somebody is taken to be in a busy loop. */
const MOMENT_STEPS = 20_000;
/** How often it is looked whether all is at rest. */
const REST_STEPS = 32;
/** How long everything may take to come to rest, and more for each message that goes through a narrow window. */
const REST_MS = 120_000;
const REST_PER_MESSAGE_MS = 1_500;

/** Runs one seed: a schedule of faults and talk, then repair, then rest. */
export async function run(options: RunOptions): Promise<RunResult> {
  const { seed, plant = NO_PLANT } = options;
  const remove = plant.patch?.() ?? (() => {});
  try {
    return await withSeededIds(seededRandom(seed).fork(9), () => runWorld(options, plant));
  } finally {
    remove();
  }
}

async function runWorld({ seed, steps: limit, only, trace }: RunOptions, plant: Plant): Promise<RunResult> {
  const random = seededRandom(seed);
  const setting = settingOf(random.fork(1));
  const verdict = new Verdict();
  const memory = { retention: { entries: setting.retained } };
  const store = plant.store?.(memory) ?? new MemoryStore(memory);
  trace?.(JSON.stringify(setting));
  const hasGateway = seed % GATEWAY_SEEDS === 0;
  const world = new World({ random, setting, verdict, plant, store, trace, hasGateway });
  const { timeline } = world;
  const schedule = random.fork(2);
  let steps = 0;
  let index = 0;
  let op: Op = opOf(schedule, 0);
  let nextMs = op.wait;
  const chosen = only && new Set(only);
  const lastChosen = only && Math.max(...only, -1);

  const isScheduleOver = (): boolean => (lastChosen === undefined ? steps >= limit : index > lastChosen);
  let momentMs = 0;
  let momentSteps = 0;
  const tick = (): void => {
    if (++steps % BOUNDS_STEPS === 0) world.checkBounds();
    momentSteps = timeline.nowMs === momentMs ? momentSteps + 1 : 0;
    momentMs = timeline.nowMs;
    if (momentSteps > MOMENT_STEPS) verdict.blame('busy loop', `${momentSteps} steps at ${momentMs} ms`);
  };
  const performDue = (): void => {
    while (nextMs <= Math.min(timeline.nextMs, timeline.nowMs + 10_000) && !isScheduleOver()) {
      timeline.skipTo(nextMs);
      if (!chosen || chosen.has(index)) {
        trace?.(`${timeline.nowMs.toFixed(1)} -- ${index} ${JSON.stringify(op)}`);
        const now = op;
        timeline.after(0, () => world.perform(now));
      }
      op = opOf(schedule, ++index);
      nextMs += op.wait;
    }
  };
  await drive(timeline, () => {
    tick();
    performDue();
    return verdict.violation !== undefined || isScheduleOver();
  });

  timeline.after(0, () => world.repair());
  const untilMs = timeline.nowMs + REST_MS + world.log.most * REST_PER_MESSAGE_MS;
  let isResting = false;
  await drive(timeline, () => {
    tick();
    if (steps % REST_STEPS === 0) isResting = world.isRepaired && world.unrest === undefined;
    return verdict.violation !== undefined || isResting || timeline.nowMs > untilMs;
  });
  if (!isResting) verdict.blame('liveness', world.unrest ?? 'all came to rest, too late');
  world.log.checkEffects();
  return { seed, steps, ops: index, violation: verdict.violation };
}
