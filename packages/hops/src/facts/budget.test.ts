import { fileURLToPath } from 'node:url';
import { type Environment, judgeBudget, loadPolicy, parse, pick, type Verdict, worst } from '@holdfast/policy';
import { describe, expect, it } from 'vitest';
import { linksOf } from './index.js';

const examples = fileURLToPath(new URL('../../../../examples/policies/', import.meta.url));

const judged = (environment: Environment, rttMs?: number): Verdict[] =>
  judgeBudget(environment, linksOf(environment), { rttMs });

async function example(name: string, environment: string): Promise<Verdict[]> {
  const { policy } = await loadPolicy(`${examples}${name}.yaml`, { variables: {} });
  return judged(pick(policy, environment));
}

/** Judges an environment with these keys, in the notation of YAML. */
function of(keys: string, rttMs?: number): Verdict[] {
  const text = `name: x\nbase: {hosts: [h.example.com], routes: [{websocket: /ws}]}\nenvironments: {prod: {${keys}}}`;
  const { policy, problems } = parse(text, { variables: {} });
  if (!policy) throw new Error(JSON.stringify(problems));
  return judged(pick(policy, 'prod'), rttMs);
}

const one = (verdicts: readonly Verdict[], rule: string, hop?: string): Verdict => {
  const found = verdicts.filter((verdict) => verdict.rule === rule && (hop === undefined || verdict.hop === hop));
  const [verdict] = found;
  if (!verdict || found.length > 1) throw new Error(`${found.length} verdicts of ${rule}`);
  return verdict;
};

const grave = (verdicts: readonly Verdict[]): string[] =>
  verdicts.filter(({ level }) => level === 'error').map(({ rule, hop }) => `${rule} ${hop}`);

describe('the worked policies', () => {
  it('of smart glasses hold, but for a connect timeout that outlasts its clients and a send timeout that does nothing', async () => {
    for (const environment of ['debug', 'dev', 'staging', 'prod']) {
      const verdicts = await example('smart-glasses', environment);
      expect(grave(verdicts)).toEqual([]);
      expect(one(verdicts, 'idle', 'ingress-nginx')).toMatchObject({ level: 'ok', limitMs: 3_600_000, oursMs: 2_000 });
      expect(one(verdicts, 'idle', 'cloudflare')).toMatchObject({ level: 'ok', limitMs: 100_000, marginMs: 96_500 });
      expect(one(verdicts, 'connect')).toMatchObject({ level: 'warning', limitMs: 60_000, oursMs: 10_000 });
      const sends = verdicts.filter(({ rule, clock }) => rule === 'backpressure' && clock === 'proxy-send-timeout');
      expect(sends).toMatchObject([{ level: 'info', limitMs: 3_600_000 }]);
    }
  });

  it('of the chat platform have a grace period without a margin, and an affinity that nobody asks', async () => {
    const verdicts = await example('chat-platform', 'production');
    expect(grave(verdicts)).toEqual(['grace pod']);
    const grace = one(verdicts, 'grace');
    expect(grace).toMatchObject({ limitMs: 45_000, oursMs: 41_000, marginMs: -1_000 });
    expect(grace.message).toMatch(/45 s leave no margin/);
    expect(one(verdicts, 'affinity')).toMatchObject({ level: 'warning', limitMs: 10_800_000 });
  });

  it.each(['by-address', 'by-header'])(
    'of three instances %s ask for a connect timeout that is not possible',
    async (environment) => {
      const verdicts = await example('three-instances', environment);
      expect(grave(verdicts)).toEqual(['connect nginx']);
      expect(one(verdicts, 'connect').message).toMatch(/^7d is not possible: kernels give up after 75 s/);
      expect(one(verdicts, 'idle')).toMatchObject({ level: 'ok', limitMs: 604_800_000 });
    },
  );

  it('of Cloud Run have a lifetime that no ping outlives', async () => {
    const verdicts = await example('agents-on-cloud-run', 'staging');
    expect(grave(verdicts)).toEqual(['lifetime cloud-run', 'grace cloud-run']);
    const { limitMs, message, fix } = one(verdicts, 'lifetime');
    expect(limitMs).toBe(600_000);
    expect(message).toMatch(/cut after 10m, however often it pings/);
    expect(fix).toMatch(/maxAge: 7m/);
    const grace = one(verdicts, 'grace');
    expect(grace).toMatchObject({ limitMs: 10_000, oursMs: 26_000, marginMs: -21_000 });
    expect(grace.message).toMatch(/^10 s leave no margin for drain 25 s, closing 1 s/);
  });
});

describe('an idle limit', () => {
  const at = (ping: string, limit: string, rttMs = 500): Verdict =>
    one(
      of(
        `keepalive: {plainPing: ${ping}, plainPong: 10m, backgroundPing: 1s}, hops: [{kind: aws-clb, idle: ${limit}}]`,
        rttMs,
      ),
      'idle',
    );

  it.each([
    ['30s', '60s', 'ok', 28_500],
    ['30s', '59s', 'warning', 27_500],
    ['57500ms', '59001ms', 'warning', 1],
    ['57500ms', '59s', 'error', 0],
    ['60s', '60s', 'error', -1_500],
  ])('of a ping every %s against %s: %s, %i ms', (ping, limit, level, marginMs) => {
    expect(at(ping, limit)).toMatchObject({ level, marginMs });
  });

  it('is compared with the round trip that is asked for', () => {
    expect(at('30s', '60s', 29_000)).toMatchObject({ level: 'error', marginMs: 0 });
  });

  it('is the hop’s own where nothing that is rendered sets it', () => {
    const limit = (hop: string): number | undefined => one(of(`hops: [${hop}]`), 'idle').limitMs;
    expect(limit('istio')).toBeUndefined();
    expect(limit('{kind: istio, idle: 5m}')).toBe(300_000);
    expect(limit('envoy')).toBe(3_600_000);
  });

  it('that is switched off holds', () => {
    expect(one(of('hops: [{kind: envoy, idle: off}]'), 'idle')).toMatchObject({ level: 'ok', limitMs: undefined });
  });

  it('is the default of the hop, unless the policy or the hop says otherwise', () => {
    expect(one(of('hops: [cloudfront]'), 'idle')).toMatchObject({ limitMs: 600_000, limitFrom: 'default' });
    expect(one(of('hops: [nginx]'), 'idle')).toMatchObject({ limitMs: 3_600_000, limitFrom: 'policy' });
    expect(one(of('hops: [{kind: nginx, read: 10s}]'), 'idle')).toMatchObject({ level: 'error', limitFrom: 'hop' });
    expect(one(of('hops: [aws-alb]'), 'idle')).toMatchObject({ limitMs: 3_600_000 });
    expect(one(of('hops: [aws-alb], routes: [{websocket: /, read: 1d}]'), 'idle')).toMatchObject({
      limitMs: 4_000_000,
    });
  });

  it('that differs between paths is judged for each', () => {
    const verdicts = of(
      'hops: [nginx], routes: [{websocket: [/a, /b], read: 10s}, {websocket: /c}, {rest: /d, read: 1s}]',
    );
    const idle = verdicts.filter(({ rule }) => rule === 'idle').map(({ level, paths }) => [level, paths]);
    expect(idle).toEqual([
      ['error', ['/a', '/b']],
      ['ok', ['/c']],
    ]);
  });

  it('for each direction needs a heartbeat that is answered', () => {
    expect(one(of('hops: [heroku]'), 'each-direction').level).toBe('warning');
    const heartbeat = (from: string): Verdict =>
      one(of(`hops: [heroku], keepalive: {application: {ping: 10s, from: ${from}}}`), 'each-direction');
    expect(heartbeat('both').level).toBe('ok');
    expect(heartbeat('server')).toMatchObject({ level: 'error' });
    expect(heartbeat('server').message).toMatch(/only the server sends/);
    const streams = of(
      'hops: [{kind: haproxy, independentStreams: true}], keepalive: {application: {ping: 10s, from: client}}',
    );
    expect(one(streams, 'each-direction').level).toBe('error');
    expect(one(of('hops: [haproxy]'), 'idle').level).toBe('ok');
  });

  it('of a silent hop needs both ends to judge', () => {
    expect(one(of('hops: [aws-nlb]'), 'silent')).toMatchObject({ level: 'ok' });
    expect(one(of('hops: [aws-nlb], keepalive: {application: {ping: 10s, from: client}}'), 'silent').level).toBe(
      'warning',
    );
    expect(one(of('hops: [{kind: azure-lb, tcpReset: true}]'), 'idle').limitMs).toBe(240_000);
  });
});

describe('a lifetime', () => {
  it('is met by moving connections before it, jitter and drain included', () => {
    const run = (age: string): Verdict =>
      one(of(`hops: [cloud-run], resources: {request: 600s}, drain: {maxAge: ${age}}`), 'lifetime');
    expect(run('7m')).toMatchObject({ level: 'ok', oursMs: 530_000, marginMs: 70_000 });
    expect(run('8m')).toMatchObject({ level: 'error', oursMs: 602_000 });
  });

  it.each([
    ['30s', '25s', 'raise the lifetime: a drain of 26 s leaves 4 s of it'],
    ['26s', '25s', 'raise the lifetime: it is no longer than a drain of 26 s'],
    // With the jitter of 20 % a maxAge of 60 s would end exactly at the limit, which is not before it.
    ['98s', '25s', 'raise the lifetime: a drain of 26 s leaves 72s of it'],
    ['99s', '25s', 'set `drain: {maxAge: 1m}` or less'],
  ])('of %s that leaves too little beside a drain of %s can only be raised', (limit, deadline, advice) => {
    const verdicts = of(`hops: [{kind: gcp-classic-alb, lifetime: ${limit}}], drain: {deadline: ${deadline}}`);
    expect(one(verdicts, 'lifetime')).toMatchObject({ level: 'error', fix: advice });
  });
});

describe('what ends many connections together', () => {
  it('must not come before the end of the drain', () => {
    expect(one(of('hops: [istio]'), 'cohort')).toMatchObject({ level: 'error', limitMs: 5_000, oursMs: 30_000 });
    expect(one(of('hops: [{kind: istio, drain: 40s}]'), 'cohort').level).toBe('ok');
    expect(one(of('hops: [caddy]'), 'cohort')).toMatchObject({ level: 'error', limitMs: 0 });
    expect(one(of('hops: [haproxy]'), 'cohort')).toMatchObject({ level: 'ok', limitMs: 25_000 });
    expect(one(of('drain: {maxAge: 1h}, hops: [haproxy]'), 'cohort')).toMatchObject({
      level: 'ok',
      limitMs: 3_600_000,
    });
    expect(one(of('hops: [nginx-ingress]'), 'cohort')).toMatchObject({ level: 'info', limitMs: undefined });
    expect(one(of('hops: [cloudflare]'), 'cohort').level).toBe('info');
  });
});

describe('what ends all connections of a proxy at its own', () => {
  it.each([
    ['ingress-nginx', 'after a reload of its own it cuts all after 4m', 'watch the rate of reloads'],
    ['envoy', 'after a restart of its own it cuts all after 15m', 'watch the rate of restarts'],
  ])('is called by its name: %s', (hop, message, fix) => {
    const { message: said, fix: todo } =
      of(`hops: [${hop}]`).find(({ rule, level }) => rule === 'cohort' && level === 'info') ?? {};
    expect([said, todo]).toEqual([`long enough for a drain; ${message}`, fix]);
  });

  it.each(['aws-nlb', 'aws-alb'])('is nothing that %s has: a target is deregistered with its pod', (hop) => {
    expect(one(of(`hops: [${hop}]`), 'cohort')).toMatchObject({ level: 'ok', message: 'it waits for the drain' });
  });
});

describe('a proxy that is replaced', () => {
  it('must live longer than its old workers', () => {
    const grace = (hop: string): Verdict => {
      const verdict = of(`hops: [${hop}]`).find(({ clock }) => clock.includes('Grace'));
      if (!verdict) throw new Error('nothing was said of it');
      return verdict;
    };
    expect(grace('ingress-nginx')).toMatchObject({ level: 'ok', limitMs: 300_000, oursMs: 240_000, marginMs: 50_000 });
    expect(grace('{kind: ingress-nginx, shutdown: 290s}')).toMatchObject({ level: 'ok', marginMs: 0 });
    expect(grace('{kind: ingress-nginx, shutdown: 291s}')).toMatchObject({ level: 'error', marginMs: -1_000 });
    expect(grace('{kind: ingress-nginx, shutdown: off, grace: 1m}').level).toBe('info');
  });
});

describe('the ends', () => {
  it('are killed only when they are empty', () => {
    expect(one(of(''), 'grace')).toMatchObject({ level: 'ok', limitMs: 60_000, oursMs: 31_000, marginMs: 24_000 });
    expect(one(of('drain: {grace: 36s}'), 'grace')).toMatchObject({ level: 'error', marginMs: 0 });
    expect(one(of('drain: {grace: 37s}'), 'grace').level).toBe('ok');
  });

  it('are killed by the clock of the platform where it has one, whatever grace the policy has', () => {
    const on = (hop: string, deadline: string): Verdict =>
      one(of(`hops: [${hop}], drain: {deadline: ${deadline}, propagation: 1s, grace: 10m}`), 'grace');
    expect(on('cloud-run', '3s')).toMatchObject({ level: 'ok', hop: 'cloud-run', oursMs: 4_000, marginMs: 1_000 });
    expect(on('cloud-run', '4s')).toMatchObject({ level: 'error', marginMs: 0 });
    expect(on('cloud-run', '4s').fix).toMatch(/^`drain: \{deadline: 3s\}` or less/);
    expect(on('fly', '25s')).toMatchObject({ level: 'error', hop: 'fly', clock: 'kill_timeout', limitMs: 5_000 });
    expect(on('fly', '25s').fix).toMatch(/^set it to 32s or more/);
    expect(on('{kind: fly, kill: 32s}', '25s').level).toBe('ok');
  });

  it('can move all of their sessions while they drain', () => {
    expect(one(of(''), 'rate')).toMatchObject({ level: 'ok', marginMs: 0 });
    expect(one(of('limits: {connections: 10001}'), 'rate').level).toBe('warning');
  });

  it('give a ping the time to be answered', () => {
    const dead = of('keepalive: {ping: 3600ms}').filter(({ rule }) => rule === 'dead');
    expect(dead.map(({ level }) => level)).toEqual(['error', 'ok', 'ok']);
    expect(of('keepalive: {application: {ping: 1s}}').some(({ rule }) => rule === 'dead')).toBe(false);
  });

  it('are as bad as the worst of their verdicts', () => {
    expect(worst([])).toBe('ok');
    expect(worst(of(''))).toBe('ok');
    expect(worst(of('hops: [istio, cloudflare]'))).toBe('error');
  });
});

it('every verdict names hop, clock and a message, and one that is not fine says what to do', () => {
  for (const verdict of of(
    'hops: [cloudflare, nginx, istio, aws-nlb, kube-proxy, cloud-run], keepalive: {plainPing: 55s}',
  )) {
    for (const text of [verdict.hop, verdict.clock, verdict.message, verdict.what]) expect(text).not.toBe('');
    if (verdict.level === 'error' || verdict.level === 'warning') expect(verdict.fix).toBeTruthy();
  }
});
