import { VirtualClock } from '@holdfast/testing';
import { describe, expect, test } from 'vitest';
import { Admission, DEFAULT_ADMISSION, type Admitted, type AdmissionOptions, type Refusal } from './admission.js';
import { serverClock } from './server.fixture.js';

function setUp(options: Partial<AdmissionOptions> = {}, held = 0) {
  const clock = new VirtualClock();
  const admission = new Admission({ ...DEFAULT_ADMISSION, ...options }, serverClock(clock), () => held);
  return { clock, admission };
}

const isIn = (answer: Admitted | Refusal): answer is Admitted => 'over' in answer;

test('a server takes at most so many sessions, and still those that come back', () => {
  const { admission } = setUp({ maxSessions: 10 }, 10);
  expect(admission.admit(true)).toMatchObject({ error: { code: 'HF_BUSY' }, retryMs: 5_000 });
  expect(isIn(admission.admit(false))).toBe(true);
});

test('a connection that seemed to come back and wants a new session is asked for room all the same', () => {
  const { admission } = setUp({ maxSessions: 10 }, 10);
  admission.admit(false);
  expect(admission.admitNew()).toMatchObject({ retryMs: 5_000 });
});

test('handshakes at once are bounded, and each gives its place back once', () => {
  const { admission } = setUp({ maxHandshakes: 2 });
  const first = admission.admit(true) as Admitted;
  admission.admit(false);
  expect(admission.admit(true)).toMatchObject({ retryMs: 1_000 });
  first.over();
  first.over('established');
  expect(admission.handshakes).toBe(1);
  expect(isIn(admission.admit(true))).toBe(true);
});

test('new sessions come at most at their rate, with the hint when there is room again', () => {
  const { clock, admission } = setUp({ acceptsPerSecond: 4 });
  for (let i = 0; i < 4; i++) expect(isIn(admission.admit(true))).toBe(true);
  expect(admission.admit(true)).toMatchObject({ retryMs: 250 });
  clock.advance(250);
  expect(isIn(admission.admit(true))).toBe(true);
  expect(isIn(admission.admit(true))).toBe(false);
});

test('who is draining sends everybody elsewhere', () => {
  const { admission } = setUp();
  admission.drain();
  expect(admission.admit(false)).toMatchObject({ retryMs: 100 });
});

describe('the breaker', () => {
  const breaker = { failures: 2, openMs: 10_000 };

  function open() {
    const parts = setUp({ breaker, acceptsPerSecond: 2 });
    for (let i = 0; i < 2; i++) (parts.admission.admit(false) as Admitted).over('failed');
    return parts;
  }

  test('opens after failures in a row and tells when to come back', () => {
    const { clock, admission } = open();
    clock.advance(4_000);
    expect(admission.admit(false)).toMatchObject({ retryMs: 6_000 });
  });

  test('lets one attempt through when its time is over, and closes when that succeeds', () => {
    const { clock, admission } = open();
    clock.advance(10_000);
    const trial = admission.admit(false) as Admitted;
    expect(isIn(admission.admit(false))).toBe(false);
    trial.over('established');
    expect(isIn(admission.admit(false))).toBe(true);
  });

  test('gives the one attempt to another when its client has given up', () => {
    const { clock, admission } = open();
    clock.advance(10_000);
    (admission.admit(false) as Admitted).over();
    expect(isIn(admission.admit(false))).toBe(true);
  });

  test('does not spend the one attempt on who is refused for another reason', () => {
    const { clock, admission } = open();
    for (let i = 0; i < 3; i++) admission.admitNew();
    clock.advance(10_000 - 1);
    for (let i = 0; i < 3; i++) admission.admitNew();
    clock.advance(1);
    expect(isIn(admission.admit(true))).toBe(false);
    expect(isIn(admission.admit(false))).toBe(true);
  });

  test('is not closed by a handshake from before that was given up', () => {
    const { admission } = setUp({ breaker });
    const early = admission.admit(false) as Admitted;
    for (let i = 0; i < 2; i++) (admission.admit(false) as Admitted).over('failed');
    early.over();
    expect(isIn(admission.admit(false))).toBe(false);
  });
});
