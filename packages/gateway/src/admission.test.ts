import { VirtualClock } from '@holdfast/testing';
import { describe, expect, it } from 'vitest';
import { Admission, type Place } from './admission.js';
import { testEnvironment, testRoute } from './environment.fixture.js';

const { limits } = testEnvironment();
const route = testRoute();

describe('admission', () => {
  it('bounds what is under way by address, by route and in all, and takes each place back once', () => {
    const admission = new Admission({ ...limits, connections: 3, connectionsPerAddress: 2 }, new VirtualClock());
    const few = testRoute({ path: '/few', connections: 1 });
    const first = admission.enter('a', few) as Place;
    expect(admission.enter('b', few)).toMatchObject({ status: 503 });
    admission.enter('a', route);
    expect(admission.enter('a', route)).toMatchObject({ status: 429 });
    admission.enter('b', route);
    expect(admission.enter('c', route)).toMatchObject({ status: 503 });
    first.leave();
    first.leave();
    expect([admission.total, admission.from('a')]).toEqual([2, 1]);
    expect(admission.enter('c', few)).toHaveProperty('leave');
  });

  it('lets a burst in at once, queues two seconds of it, sends away the rest, and keeps the order', () => {
    const clock = new VirtualClock();
    const admission = new Admission({ ...limits, acceptsPerSecond: 2 }, clock);
    const gone: number[] = [];
    const refused = Array.from({ length: 8 }, (_, i) => admission.turn(() => gone.push(i)));
    expect(gone).toEqual([0, 1]);
    expect(refused.map((why) => why?.status)).toEqual([...Array.from({ length: 6 }, () => undefined), 503, 503]);
    clock.advance(1_100);
    expect(gone).toEqual([0, 1, 2, 3]);
    clock.advance(2_000);
    expect(gone).toEqual([0, 1, 2, 3, 4, 5]);
    expect(admission.waiting).toBe(0);
  });

  it('gives the turn of whoever has gone while it waited to the next', () => {
    const clock = new VirtualClock();
    const admission = new Admission({ ...limits, acceptsPerSecond: 1 }, clock);
    const gone: number[] = [];
    const impatient = (): void => void gone.push(1);
    for (const act of [() => gone.push(0), impatient, () => gone.push(2)]) admission.turn(act);
    admission.forget(impatient);
    expect(admission.waiting).toBe(1);
    clock.advance(1_100);
    expect(gone).toEqual([0, 2]);
  });
});
