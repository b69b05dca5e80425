import { describe, expect, it, vi } from 'vitest';
import { announceSeed, randomSeed, seededRandom } from '@holdfast/testing';
import { Pair, type PairOptions } from './pair.js';

// Many runs, on a machine that may be busy with other tests.
vi.setConfig({ testTimeout: 60_000 });

const seed = randomSeed();
announceSeed('pair', seed, { command: 'npx vitest run --project unit packages/protocol/src/testing/pair.test.ts' });

const HOUR_MS = 3_600_000;

const open = (options: Partial<PairOptions> = {}): Pair => {
  const pair = new Pair({ random: seededRandom(seed), ...options });
  pair.open();
  return pair;
};
const texts = (pair: Pair, topic = ''): string[] =>
  pair.received.filter((message) => message.topic === topic).map(({ text }) => text);
const handled = (pair: Pair): string[] | undefined => pair.session?.handled.map(({ text }) => text);
const upTo = (n: number, from = 1): string[] => Array.from({ length: n - from + 1 }, (_, i) => `${from + i}`);
const isRecovered = (pair: Pair) => (): boolean =>
  pair.client.state === 'open' && pair.isUpToDate && pair.client.statistics.waitingMessages === 0;
/** What was told to the application since the session was open. */
const told = (pair: Pair): string[] =>
  pair.events.map(({ type }) => type).filter((type) => type !== 'dial' && type !== 'open');
const talk = (pair: Pair, from: number, to: number): void => {
  for (let n = from; n <= to; n++) {
    pair.send(`${n}`);
    pair.serverSend(`${n}`);
    pair.drive(3);
  }
};
/** What has become of the messages of both ends. */
const accountOf = (pair: Pair) => {
  const { missing } = pair.client.statistics;
  return { handled: handled(pair), received: texts(pair), problems: pair.judge.problems, missing };
};
const complete = (n: number) => ({ handled: upTo(n), received: upTo(n), problems: [], missing: 0 });

describe('a session', () => {
  it('carries messages both ways', () => {
    const pair = open();
    talk(pair, 1, 100);
    pair.drive(200);
    expect(accountOf(pair)).toEqual(complete(100));
    expect(pair.client.statistics).toMatchObject({ sent: 100, resent: 0, received: 100, duplicates: 0, transports: 1 });
  });

  it('is silent but for pings when nothing is said', () => {
    const pair = open();
    pair.drive(HOUR_MS);
    expect(told(pair)).toEqual([]);
    // A ping and a pong each way every two seconds, of some 20 bytes.
    expect(pair.link?.sentBytes.client).toBeLessThan((HOUR_MS / 2_000) * 45);
  });
});

describe('a resume', () => {
  it('works after zero messages', () => {
    const pair = open();
    pair.link?.cut();
    pair.driveUntil(() => told(pair).includes('recovered'), 5_000);
    expect(pair.eventsOf('recovered')).toEqual([{ type: 'recovered', replayed: 0 }]);
    talk(pair, 1, 5);
    pair.driveUntil(isRecovered(pair), 1_000);
    expect(accountOf(pair)).toEqual(complete(5));
  });

  it('works after an idle hour', () => {
    const pair = open();
    talk(pair, 1, 5);
    pair.drive(HOUR_MS);
    pair.link?.cut();
    for (let n = 6; n <= 8; n++) pair.serverSend(`${n}`);
    pair.driveUntil(isRecovered(pair), 5_000);
    expect(pair.eventsOf('recovered')).toEqual([{ type: 'recovered', replayed: 3 }]);
    for (let n = 6; n <= 8; n++) pair.send(`${n}`);
    pair.driveUntil(isRecovered(pair), 1_000);
    expect(accountOf(pair)).toEqual(complete(8));
  });

  it('works twice in a row, and a third time', () => {
    const pair = open();
    for (let round = 0; round < 3; round++) {
      talk(pair, 1 + round * 5, 5 + round * 5);
      pair.link?.cut();
      pair.driveUntil(isRecovered(pair), 10_000);
    }
    expect(accountOf(pair)).toEqual(complete(15));
    expect(told(pair)).toEqual(['recovering', 'recovered', 'recovering', 'recovered', 'recovering', 'recovered']);
  });

  it('works when it is cut again before anything was said on it', () => {
    const pair = open();
    talk(pair, 1, 5);
    for (let round = 0; round < 5; round++) {
      pair.link?.cut();
      const { attempts } = pair.client.statistics;
      pair.driveUntil(() => pair.client.statistics.attempts > attempts, 60_000);
      pair.drive(20);
    }
    talk(pair, 6, 9);
    pair.driveUntil(isRecovered(pair), 60_000);
    expect(accountOf(pair)).toEqual(complete(9));
  });

  it('works when the client is back before the server has noticed', () => {
    const pair = open({ pods: 1 });
    talk(pair, 1, 5);
    pair.link?.cut(['server']);
    for (let n = 6; n <= 9; n++) {
      pair.send(`${n}`);
      pair.serverSend(`${n}`);
    }
    expect(pair.server?.state).toBe('attached');
    pair.driveUntil(isRecovered(pair), 2_500);
    expect(accountOf(pair)).toEqual(complete(9));
  });

  it('works when the client is back at another pod before the one that it left has noticed', () => {
    const pair = open();
    talk(pair, 1, 5);
    const before = pair.pod;
    if (before) before.isDraining = true;
    pair.link?.cut(['server']);
    for (let n = 6; n <= 9; n++) pair.send(`${n}`);
    pair.driveUntil(isRecovered(pair), 2_500);
    expect(pair.pod).not.toBe(before);
    for (let n = 6; n <= 9; n++) pair.serverSend(`${n}`);
    pair.drive(10_000);
    expect(accountOf(pair)).toEqual(complete(9));
  });

  it('works when its answer is lost, with the same token once more', () => {
    const pair = open();
    talk(pair, 1, 5);
    pair.link?.cut();
    pair.driveUntil(() => pair.client.statistics.attempts === 2, 5_000);
    const { fence } = pair.session as { fence: number };
    pair.driveUntil(() => pair.session?.fence === fence + 1, 1_000);
    pair.link?.cut();
    pair.driveUntil(isRecovered(pair), 10_000);
    talk(pair, 6, 8);
    pair.drive(200);
    expect(accountOf(pair)).toEqual(complete(8));
  });

  it('goes on where the replay was cut in the middle, and counts every message once', () => {
    const pair = open({ latencyMs: [5, 5], window: { messages: 10, bytes: 10_000 } });
    pair.isOnline = false;
    pair.link?.cut();
    for (let n = 1; n <= 200; n++) pair.serverSend(`${n}`);
    pair.drive(2_000);
    pair.isOnline = true;
    pair.driveUntil(() => texts(pair).length >= 60, 60_000);
    pair.link?.cut();
    expect(told(pair)).toEqual(['recovering']);
    pair.driveUntil(isRecovered(pair), 60_000);
    expect(pair.eventsOf('recovered')).toEqual([{ type: 'recovered', replayed: 200 }]);
    expect(texts(pair)).toEqual(upTo(200));
  });

  it('gets nothing with a token that is spent', () => {
    const pair = open();
    talk(pair, 1, 3);
    pair.link?.cut();
    pair.driveUntil(isRecovered(pair), 5_000);
    pair.drive(1_000);
    const { fence } = pair.session as { fence: number };
    pair.deliverLateResume();
    pair.drive(1_000);
    expect(pair.session?.fence).toBe(fence);
    talk(pair, 4, 6);
    pair.drive(200);
    expect(accountOf(pair)).toEqual(complete(6));
    expect(told(pair)).toEqual(['recovering', 'recovered']);
  });
});

describe('a half-open connection', () => {
  // The phase of the pings at which it happens is drawn by when it happens.
  it.each(Array.from({ length: 21 }, (_, i) => i * 100))(
    'is found by both ends within 5 s, %i ms after a message',
    (afterMs) => {
      const pair = open();
      talk(pair, 1, 3);
      pair.drive(afterMs);
      pair.link?.blackHole('client', 'server');
      const { server, client } = pair;
      const sinceMs = pair.nowMs;
      pair.driveUntil(() => server?.state === 'detached', 5_000);
      pair.driveUntil(() => client.state === 'recovering', sinceMs + 5_000 - pair.nowMs);
      pair.driveUntil(isRecovered(pair), 5_000);
      expect(accountOf(pair)).toEqual(complete(3));
    },
  );

  it.each(['client', 'server'] as const)('in the direction from the %s only is found and mended', (from) => {
    const pair = open();
    talk(pair, 1, 3);
    pair.link?.blackHole(from);
    pair.send('4');
    pair.serverSend('4');
    pair.driveUntil(isRecovered(pair), 10_000);
    expect(accountOf(pair)).toEqual(complete(4));
  });

  it('is found while messages are being sent into it', () => {
    const pair = open();
    pair.link?.blackHole('client', 'server');
    const sinceMs = pair.nowMs;
    for (let n = 1; pair.client.state === 'open'; n++) {
      pair.send(`${n}`);
      pair.drive(50);
    }
    expect(pair.nowMs - sinceMs).toBeLessThanOrEqual(5_000);
    pair.driveUntil(isRecovered(pair), 10_000);
    expect(handled(pair)).toEqual(upTo(pair.client.statistics.sent));
  });

  // The other end cannot tell one that is stopped from one that is gone; here it is patient, and only answers.
  it.each([
    ['client', 3_000],
    ['server', 3_000],
    ['client', 5_000],
    ['server', 5_000],
  ] as const)('is not seen by a %s that was itself stopped for %i ms, with answers waiting unread', (side, ms) => {
    for (let afterMs = 0; afterMs < 4_000; afterMs += 125) {
      const pair = open();
      pair.drive(afterMs);
      const processes = [pair.clientProcess, pair.pod?.process];
      const [stopped, patient] = side === 'client' ? processes : processes.reverse();
      if (!stopped || !patient) throw new Error('no pod');
      stopped.stop(ms);
      patient.timersAreOff = true;
      pair.drive(20_000);
      expect(told(pair), `stopped after ${afterMs} ms`).toEqual([]);
      expect(pair.server?.state).toBe('attached');
    }
  });

  it('is found in the end by a hidden page whose timers fire once a second, or once a minute', () => {
    for (const [grainMs, withinMs] of [
      [1_000, 60_000],
      [60_000, 300_000],
    ] as const) {
      const pair = open();
      pair.hint('hidden');
      pair.clientProcess.timerGrainMs = grainMs;
      pair.drive(120_000);
      expect(told(pair)).toEqual([]);
      pair.link?.blackHole('client', 'server');
      pair.driveUntil(() => pair.client.state === 'recovering', withinMs);
    }
  });

  it('is found within 2 s when the page is shown again', () => {
    const pair = open();
    pair.hint('hidden');
    pair.drive(100_000);
    pair.link?.blackHole('client', 'server');
    pair.drive(5_000);
    expect(pair.client.state).toBe('open');
    pair.hint('visible');
    pair.driveUntil(() => pair.client.state === 'recovering', 2_500);
  });
});

describe('a drain', () => {
  it('moves the session before the old transport closes, in the middle of messages both ways', () => {
    const pair = open();
    talk(pair, 1, 10);
    const before = pair.pod;
    before?.drain(200, 5_000);
    talk(pair, 11, 200);
    pair.driveUntil(() => before?.isAlive === false, 10_000);
    pair.driveUntil(isRecovered(pair), 1_000);
    expect(accountOf(pair)).toEqual(complete(200));
    expect(told(pair)).toEqual(['moved']);
    expect(pair.client.pod).toBe(pair.pod?.name);
  });

  it('of one pod after the other takes the session along', () => {
    const pair = open();
    for (let round = 0; round < 4; round++) {
      pair.addPod();
      pair.pod?.drain(100, 1_000);
      talk(pair, 1 + round * 20, 20 + round * 20);
      pair.drive(2_000);
    }
    pair.driveUntil(isRecovered(pair), 1_000);
    expect(accountOf(pair)).toEqual(complete(80));
    expect(pair.client.statistics).toMatchObject({ moves: 4, recoveries: 0, transports: 5 });
  });

  it('leaves a session that cannot move where it is, until the pod goes', () => {
    const pair = open({ pods: 1 });
    talk(pair, 1, 3);
    pair.pod?.drain(100, 3_000);
    pair.drive(2_500);
    expect([pair.client.state, told(pair)]).toEqual(['open', []]);
    talk(pair, 4, 6);
    pair.addPod();
    pair.driveUntil(isRecovered(pair), 60_000);
    expect(accountOf(pair)).toEqual(complete(6));
  });
});

describe('a pod that crashes', () => {
  it.each([false, true])('silently: %s loses nothing that was accepted, and makes no effect twice', (silently) => {
    const pair = open({ storeMs: [5, 40] });
    pair.serverSend('1');
    for (let n = 1; n <= 50; n++) {
      pair.send(`${n}`);
      pair.drive(2);
    }
    pair.pod?.crash({ silently });
    for (let n = 2; n <= 50; n++) pair.serverSend(`${n}`);
    pair.driveUntil(isRecovered(pair), 20_000);
    expect(accountOf(pair)).toEqual(complete(50));
    const redelivered = pair.pods.flatMap(({ delivered }) => delivered).filter((message) => message.redelivered);
    expect(redelivered.length).toBeGreaterThan(0);
  });

  it('takes no other pod with it when all of them crash in turn', () => {
    const pair = open();
    for (let round = 0; round < 5; round++) {
      pair.addPod();
      talk(pair, 1 + round * 10, 10 + round * 10);
      pair.pod?.crash();
    }
    pair.driveUntil(isRecovered(pair), 60_000);
    expect(accountOf(pair)).toEqual(complete(50));
  });
});

describe('a close', () => {
  const closed = (pair: Pair): unknown =>
    pair.eventsOf('close').map(({ code, reason, wasClean }) => [code, reason, wasClean]);

  it('by the client ends the session when everything is handled', () => {
    const pair = open();
    for (let n = 1; n <= 30; n++) pair.send(`${n}`);
    const session = pair.session;
    pair.close(3_000, 'done');
    pair.driveUntil(() => pair.client.state === 'closed', 2_000);
    expect(closed(pair)).toEqual([[3_000, 'done', true]]);
    expect(session?.handled.map(({ text }) => text)).toEqual(upTo(30));
    expect(pair.store.sessions).toEqual([]);
  });

  it('by the server ends it when everything was delivered', () => {
    const pair = open({ window: { messages: 3, bytes: 100 } });
    for (let n = 1; n <= 30; n++) pair.serverSend(`${n}`);
    pair.drive(0);
    pair.serverClose(4_000, 'enough');
    pair.driveUntil(() => pair.client.state === 'closed', 5_000);
    expect(closed(pair)).toEqual([[4_000, 'enough', true]]);
    expect(texts(pair)).toEqual(upTo(30));
    pair.drive(1_000);
    expect(pair.store.sessions).toEqual([]);
  });

  it('by both at once ends it once, and says whether everything was taken', () => {
    const pair = open();
    const session = pair.session;
    pair.send('1');
    pair.close(3_000, 'done');
    pair.serverClose(4_000, 'enough');
    pair.driveUntil(() => pair.client.state === 'closed', 2_000);
    pair.drive(1_000);
    expect(pair.store.sessions).toEqual([]);
    expect(closed(pair)).toEqual(session?.handled.length === 1 ? [[3_000, 'done', true]] : [[4_000, 'enough', false]]);
  });

  it('by the client while it has no transport waits for one, and loses nothing', () => {
    const pair = open();
    const session = pair.session;
    pair.link?.cut();
    pair.driveUntil(() => pair.client.state === 'recovering', 100);
    pair.send('1');
    pair.close(3_000, 'done');
    pair.driveUntil(() => pair.client.state === 'closed', 5_000);
    expect([closed(pair), session?.handled]).toEqual([[[3_000, 'done', true]], [{ n: 1, text: '1' }]]);
  });

  it('whose answer is lost is as good as one whose answer has come', () => {
    const pair = open();
    pair.close(3_000, 'done');
    pair.driveUntil(() => pair.store.sessions.length === 0, 1_000);
    pair.link?.cut();
    pair.driveUntil(() => pair.client.state === 'closed', 5_000);
    expect(closed(pair)).toEqual([[3_000, 'done', true]]);
  });

  it('by the server is told to a client that was away', () => {
    const pair = open();
    pair.isOnline = false;
    pair.link?.cut();
    pair.drive(1_000);
    pair.serverSend('1');
    pair.serverClose(4_000, 'enough');
    pair.drive(1_000);
    pair.isOnline = true;
    pair.driveUntil(() => pair.client.state === 'closed', 30_000);
    expect([closed(pair), texts(pair)]).toEqual([[[4_000, 'enough', true]], ['1']]);
  });

  it('is told when the session has ended meanwhile', () => {
    const pair = open();
    pair.store.remove(pair.client.id as string);
    pair.link?.cut();
    pair.driveUntil(() => pair.client.state === 'closed', 5_000);
    expect(closed(pair)).toEqual([[4_502, 'HF_EXPIRED', false]]);
  });
});

describe('topics', () => {
  it('are followed from the moment of the subscription, through cuts and moves', () => {
    const pair = open();
    pair.publish('news', '1');
    pair.subscribe('news');
    pair.drive(100);
    for (let n = 2; n <= 60; n++) {
      pair.publish('news', `${n}`, n % 3 > 0);
      pair.drive(20);
      if (n === 20) pair.link?.cut();
      if (n === 40) pair.pod?.drain(0, 1_000);
    }
    pair.driveUntil(isRecovered(pair), 5_000);
    expect(texts(pair, 'news')).toEqual(upTo(60, 2));
    expect(pair.judge.problems).toEqual([]);
  });

  it('that are left while the client is away stay left', () => {
    const pair = open();
    pair.subscribe('news');
    pair.subscribe('chat');
    pair.drive(100);
    pair.isOnline = false;
    pair.link?.cut();
    pair.drive(100);
    pair.unsubscribe('news');
    pair.drive(100);
    pair.publish('news', '1');
    pair.publish('chat', '1');
    pair.isOnline = true;
    pair.driveUntil(isRecovered(pair), 30_000);
    expect([texts(pair, 'news'), texts(pair, 'chat')]).toEqual([[], ['1']]);
  });

  it('say where retention has left nothing to replay', () => {
    const pair = open();
    pair.subscribe('news');
    pair.drive(100);
    pair.isOnline = false;
    pair.link?.cut();
    pair.drive(100);
    for (let n = 1; n <= 10; n++) pair.publish('news', `${n}`);
    pair.store.log(pair.client.id as string, 'news').trim(3);
    pair.isOnline = true;
    pair.driveUntil(isRecovered(pair), 30_000);
    expect(pair.eventsOf('gap')).toEqual([{ type: 'gap', topic: 'news', from: 1, to: 7 }]);
    expect(texts(pair, 'news')).toEqual(['8', '9', '10']);
    expect(pair.client.statistics.missing).toBe(7);
  });
});

describe('windows', () => {
  it('let a client and a server go on at any speed of the other, holding little', () => {
    const window = { messages: 4, bytes: 1_000 };
    const pair = open({ window, policy: { window } });
    for (let n = 1; n <= 300; n++) {
      pair.send(`${n}`);
      pair.serverSend(`${n}`);
    }
    pair.driveUntil(isRecovered(pair), 60_000);
    expect(accountOf(pair)).toEqual(complete(300));
  });
});
