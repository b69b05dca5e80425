import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { run } from '../program.js';

const examples = fileURLToPath(new URL('../../../../examples/policies/', import.meta.url));
let folder = '';

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-policy-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function ran(...argv: string[]): Promise<{ code: number; out: string; error: string }> {
  let out = '';
  let error = '';
  const code = await run(argv, {}, { out: (text) => (out += text), error: (text) => (error += text) });
  return { code, out, error };
}

/** Runs with these variables and no others that holdfast looks at. */
async function within<T>(variables: Record<string, string>, work: () => Promise<T>): Promise<T> {
  for (const name of ['ENVIRONMENT', 'NODE_ENV', 'WEBSOCKET_PING_TIMEOUT']) vi.stubEnv(name, variables[name] ?? '');
  try {
    return await work();
  } finally {
    vi.unstubAllEnvs();
  }
}

describe('holdfast check', () => {
  it.each([
    ['smart-glasses', 0, /proxy-connect-timeout +60s|proxy-connect-timeout +1m/],
    ['chat-platform', 1, /error: +pod, terminationGracePeriodSeconds: 45 s leave no margin/],
    ['three-instances', 1, /error: +nginx, proxy_connect_timeout: 7d is not possible/],
    ['agents-on-cloud-run', 1, /error: +cloud-run, SIGKILL after SIGTERM: 10 s leave no margin for drain 25 s/],
    [
      'agents-on-cloud-run',
      1,
      /error: +cloud-run, request timeout: every connection is cut after 10m, however often it pings/,
    ],
  ])('says of %s what is wrong, and exits with %i', async (name, code, told) => {
    const result = await ran('check', '-f', `${examples}${name}.yaml`);
    expect(result.error).toBe('');
    expect(result.code).toBe(code);
    expect(result.out).toMatch(told);
    expect(result.out).toMatch(/hop +clock +limit +ours +margin +verdict/);
  });

  it('judges one environment, and prints JSON', async () => {
    const { code, out } = await ran('check', '-f', `${examples}smart-glasses.yaml`, '--env', 'prod', '--json');
    expect(code).toBe(0);
    const [judged, ...more] = JSON.parse(out) as { environment: string; chain: string[]; verdicts: object[] }[];
    expect(more).toEqual([]);
    expect(judged?.environment).toBe('prod');
    expect(judged?.chain).toEqual(['client', 'cloudflare', 'ingress-nginx', 'cloud-prod-cloud']);
    expect(judged?.verdicts).toContainEqual(
      expect.objectContaining({
        rule: 'idle',
        hop: 'cloudflare',
        level: 'ok',
        limitMs: 100_000,
        oursMs: 2_000,
        marginMs: 96_500,
      }),
    );
  });

  it('draws each clock as a bar, and what is ours against it', async () => {
    const file = join(folder, 'budget.svg');
    const { code } = await ran('check', '-f', `${examples}chat-platform.yaml`, '--svg', file);
    expect(code).toBe(1);
    const svg = await readFile(file, 'utf8');
    expect(svg).toMatch(/^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" viewBox="0 0 1000 \d+"/);
    expect(svg.match(/<g>/g)).toHaveLength(12);
    expect(svg).toContain('prefers-color-scheme: dark');
    for (const text of [
      'ping of plain clients 30s',
      'drain 30s',
      'terminationGracePeriodSeconds',
      'client → ingress-nginx',
    ]) {
      expect(svg).toContain(text);
    }
    expect(svg).not.toMatch(/NaN|undefined|Infinity/);
  });

  it('draws to standard output for "-", and then says what is wrong on standard error', async () => {
    const { code, out, error } = await ran('check', '-f', `${examples}chat-platform.yaml`, '--svg', '-');
    expect(code).toBe(1);
    expect(out).toMatch(/^<svg [^]*<\/svg>\s*$/);
    expect(error).toMatch(/45 s leave no margin/);
  });

  it('lets no name out of the picture', async () => {
    const file = join(folder, 'odd.yaml');
    const svg = join(folder, 'odd.svg');
    await writeFile(
      file,
      'name: x\nenvironments: {"<script>&": {hosts: [h], routes: [{websocket: /}], hops: [{kind: nginx, name: "</text><script>"}]}}',
    );
    await ran('check', '-f', file, '--svg', svg);
    const text = await readFile(svg, 'utf8');
    expect(text).not.toContain('<script>');
    expect(text).toContain('&#60;script&#62;&#38;');
  });

  it.each([
    [['check', '-f', '/nowhere.yaml'], /HF_POLICY: [^]*\/nowhere\.yaml:1:1: there is no such file/],
    [
      ['check', '-f', `${examples}smart-glasses.yaml`, '--env', 'prd'],
      /there is no environment prd \(did you mean prod\?\)/,
    ],
    [['check', '-f', `${examples}smart-glasses.yaml`, '--svg', '/nowhere/a.svg'], /HF_OPTION: .*--svg/],
    [['check', '--rtt', '5'], /HF_OPTION: .*--rtt/],
    [['check', 'more'], /too many arguments/],
  ])('answers %j with exit code 2', async (argv, told) => {
    const { code, error } = await ran(...argv);
    expect(code).toBe(2);
    expect(error).toMatch(told);
  });
});

describe('holdfast env', () => {
  it('shows what was detected, and where each value came from', async () => {
    const { code, out } = await within({ ENVIRONMENT: 'staging', WEBSOCKET_PING_TIMEOUT: '3' }, () =>
      ran('env', '-f', `${examples}agents-on-cloud-run.yaml`),
    );
    expect(code).toBe(0);
    expect(out).toMatch(/^detected +staging, from ENVIRONMENT$/m);
    expect(out).toMatch(/^environment +staging, because ENVIRONMENT names it$/m);
    expect(out).toMatch(/^ +connect\.ping +3s +WEBSOCKET_PING_TIMEOUT$/m);
    expect(out).toMatch(/^ +breaker\.failures +3 +preset staging$/m);
    expect(out).toMatch(/^ +resources\.request +10m +\S*agents-on-cloud-run\.yaml:\d+$/m);
    expect(out).toMatch(/^ +keepalive\.ping +2s +default$/m);
  });

  it('names the base, and prints JSON', async () => {
    const { out } = await within({}, () => ran('env', '-f', `${examples}smart-glasses.yaml`, '--env', 'dev', '--json'));
    const shown = JSON.parse(out) as { environment: string; values: { key: string; value: string; source: string }[] };
    expect(shown.environment).toBe('dev');
    const read = shown.values.find(({ key }) => key === 'routes./glasses-ws.read');
    expect(read?.value).toBe('1h');
    expect(read?.source).toMatch(/smart-glasses\.yaml:\d+ \(base\)$/);
  });

  it('says that ENVIRONMENT matches no environment, and refuses it where it would choose', async () => {
    const alone = await within({ ENVIRONMENT: 'canary' }, () =>
      ran('env', '-f', `${examples}agents-on-cloud-run.yaml`),
    );
    expect(alone.code).toBe(0);
    expect(alone.out).toMatch(/^detected .*\(ENVIRONMENT is canary, which matches no environment\)$/m);
    expect(alone.out).toMatch(/^environment +staging, because it is the only one, though ENVIRONMENT says canary$/m);
    const several = await within({ ENVIRONMENT: 'canary' }, () => ran('env', '-f', `${examples}smart-glasses.yaml`));
    expect([several.code, several.error]).toEqual([
      2,
      expect.stringMatching(/no environment canary, which ENVIRONMENT/),
    ]);
  });

  it('refuses a variable that is no number, and an environment that is left open', async () => {
    const wrong = await within({ WEBSOCKET_PING_TIMEOUT: 'soon' }, () =>
      ran('env', '-f', `${examples}chat-platform.yaml`),
    );
    expect([wrong.code, wrong.error]).toEqual([2, expect.stringMatching(/WEBSOCKET_PING_TIMEOUT is "soon"/)]);
    const open = await within({}, () => ran('env', '-f', `${examples}three-instances.yaml`));
    expect([open.code, open.error]).toEqual([2, expect.stringMatching(/which of by-address, by-header/)]);
  });
});
