import { VirtualClock } from '@holdfast/testing';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { Checker, type Verdict } from './checker.js';
import { Pool } from './pool.js';

/** Answers that pods give, one after the other; the last one again and again. `silent` never answers. */
type Script = Record<number, (Verdict | 'silent')[]>;

async function checking(script: Script, random = () => 0.5) {
  const clock = new VirtualClock();
  const breaker = { failures: 5, openMs: 60_000 };
  const pool = new Pool({ clock, maxFails: 3, failTimeoutMs: 10_000, breaker, slowStartMs: 0 });
  pool.awaitChecks();
  const found = (...ports: number[]): void => pool.found(ports.map((port) => ({ host: 'h', port })));
  found(...Object.keys(script).map(Number));
  const seen: string[] = [];
  pool.watch(({ pod, to }) => seen.push(`${clock.now()} ${pod.port} ${to}`));
  const asked: string[] = [];
  let asking = 0;
  const checker = new Checker(
    pool,
    async ({ port }, signal) => {
      asked.push(`${Math.round(clock.now())} ${port}`);
      asking++;
      const answers = script[port] ?? [];
      const answer = answers.length > 1 ? answers.shift() : answers[0];
      if (answer === 'silent') await new Promise((resolve) => signal.addEventListener('abort', resolve));
      asking--;
      return answer === 'silent' ? 'up' : (answer ?? 'down');
    },
    { intervalMs: 5_000, timeoutMs: 2_000, rise: 2, fall: 3 },
    clock,
    random,
  );
  await turn();
  return { clock, pool, checker, seen, asked, found, asking: () => asking };
}

describe('Checker', () => {
  it('asks a new pod at once and believes its first answer', async () => {
    const { seen, checker } = await checking({ 1: ['up'], 2: ['down'] });
    expect(seen).toEqual(['0 1 ready', '0 2 down']);
    checker.close();
  });

  it('takes a pod down after three failures in a row, asking faster meanwhile', async () => {
    const { clock, seen, asked, checker } = await checking({ 1: ['up', 'down', 'down', 'up', 'down'] });
    await clock.advanceAsync(20_000);
    expect(asked.slice(0, 7)).toEqual(['0 1', '5000 1', '6000 1', '7000 1', '12000 1', '13000 1', '14000 1']);
    expect(seen).toEqual(['0 1 ready', '14000 1 down']);
    checker.close();
  });

  it('takes it up again after two successes in a row', async () => {
    const { clock, seen, checker } = await checking({ 1: ['down', 'up', 'down', 'up', 'up'] });
    await clock.advanceAsync(10_000);
    expect(seen).toEqual(['0 1 down', '4000 1 ready']);
    checker.close();
  });

  it('counts no answer in time as a failure, whatever comes later', async () => {
    const { clock, seen, asked, checker, asking } = await checking({ 1: ['silent'] });
    await clock.advanceAsync(1_999);
    expect([seen, asking()]).toEqual([[], 1]);
    await clock.advanceAsync(1);
    expect([seen, asking()]).toEqual([['2000 1 down'], 0]);
    await clock.advanceAsync(1_000);
    expect(asked).toEqual(['0 1', '3000 1']);
    checker.close();
  });

  it('drains a pod that says so, also while it does not answer any more, until it says that it is ready', async () => {
    const { clock, seen, checker } = await checking({ 1: ['up', 'draining', 'down', 'up'] });
    await clock.advanceAsync(20_000);
    expect(seen).toEqual(['0 1 ready', '5000 1 draining', '7000 1 ready']);
    checker.close();
  });

  it('varies the interval by a tenth to either side', async () => {
    const draws = [0, 1];
    const { clock, asked, checker } = await checking({ 1: ['up'] }, () => draws.shift() ?? 0.5);
    await clock.advanceAsync(15_000);
    expect(asked).toEqual(['0 1', '4500 1', '10000 1', '15000 1']);
    checker.close();
  });

  it('asks pods that come, and none that has gone', async () => {
    const { clock, asked, found, checker, asking } = await checking({ 1: ['silent'] });
    found(2);
    await turn();
    expect([asking(), asked]).toEqual([0, ['0 1', '0 2']]);
    await clock.advanceAsync(1_000);
    expect(asked).toEqual(['0 1', '0 2', '1000 2']);
    checker.close();
  });

  it('leaves no timer and no question when it is closed', async () => {
    const { clock, checker, asked, asking } = await checking({ 1: ['silent'], 2: ['up'] });
    checker.close();
    await turn();
    expect([asking(), clock.pending]).toEqual([0, 0]);
    await clock.advanceAsync(20_000);
    expect(asked).toHaveLength(2);
  });
});
