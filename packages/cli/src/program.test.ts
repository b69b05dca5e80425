import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { run } from './program.js';
import type { ServeOptions } from './serve-command.js';

const MODULE = import.meta.filename;

/** Runs a command line; nothing is served, but what would be is returned. */
async function tried(...argv: string[]): Promise<{ code: number; out: string; error: string; asked?: ServeOptions }> {
  let out = '';
  let error = '';
  let asked: ServeOptions | undefined;
  const serve = async (options: ServeOptions): Promise<number> => {
    asked = options;
    return 0;
  };
  const code = await run(argv, { serve }, { out: (text) => (out += text), error: (text) => (error += text) });
  return { code, out, error, asked };
}

describe('holdfast', () => {
  it('prints its version', async () => {
    const { code, out } = await tried('--version');
    expect(code).toBe(0);
    expect(out).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  it('tells its commands in its help', async () => {
    const { code, out } = await tried('--help');
    expect(code).toBe(0);
    expect(out).toContain('serve');
  });

  it.each([['nothing'], ['serv'], ['--nope'], ['serve'], ['serve', MODULE, '--nope'], ['serve', MODULE, 'more']])(
    'answers a wrong command line with exit code 2: %s %s %s',
    async (...argv) => {
      const { code, error, asked } = await tried(...argv.filter((word) => word !== 'nothing'));
      expect(code).toBe(2);
      expect(error).not.toBe('');
      expect(asked).toBeUndefined();
    },
  );
});

describe('holdfast serve', () => {
  it('has a default for every flag', async () => {
    const { code, asked } = await tried('serve', MODULE);
    expect(code).toBe(0);
    expect(asked).toEqual({
      module: MODULE,
      modulePath: MODULE,
      workers: 1,
      port: 8_080,
      host: '127.0.0.1',
      path: undefined,
      store: { kind: 'lmdb', path: './.holdfast' },
      allowOrigin: undefined,
      podPrefix: 'pod',
      drainPropagation: 0,
      drainRate: 500,
      drainSpread: 500,
      drainDeadline: 25_000,
      drainRequests: false,
      maxAge: undefined,
      ageJitter: 0.1,
      stopDeadline: 2_000,
      json: false,
      quiet: false,
    });
  });

  it('takes from a policy what no flag says, and tells the server the rest', async () => {
    const file = fileURLToPath(new URL('../../../examples/policies/chat-platform.yaml', import.meta.url));
    const { code, asked } = await tried('serve', MODULE, '-f', file, '--drain-rate', '50');
    expect(code).toBe(0);
    expect(asked).toMatchObject({
      drainPropagation: 5_000,
      drainRate: 50,
      drainDeadline: 30_000,
      stopDeadline: 25_000,
      policy: { path: file, environment: 'production', server: { policy: { pingMs: 2_000 }, closeMs: 10_000 } },
    });
  });

  it.each([
    [['-f', '/nowhere.yaml'], /HF_POLICY: [^]*there is no such file/],
    [['--env', 'prod'], /HF_OPTION: .*no --file/],
  ])('refuses a policy that is not there: %j', async (flags, told) => {
    const { code, error, asked } = await tried('serve', MODULE, ...flags);
    expect(code).toBe(2);
    expect(error).toMatch(told);
    expect(asked).toBeUndefined();
  });

  it('takes what the flags say, the last one where a flag is repeated', async () => {
    const flags =
      '--workers 3 --port 80 --port 0 --host :: --path /ws --json --quiet --store lmdb:./data --pod-prefix eu ' +
      '--drain-deadline 10s --drain-rate 50 --stop-deadline 500ms --drain-propagation 5s ' +
      '--drain-spread 2s --drain-requests --max-age 1h --age-jitter 0.25 ' +
      '--allow-origin https://a.example --allow-origin https://b.example';
    const { asked } = await tried('serve', MODULE, ...flags.split(' '));
    expect(asked).toMatchObject({
      workers: 3,
      port: 0,
      host: '::',
      path: '/ws',
      store: { path: './data' },
      drainDeadline: 10_000,
      drainRate: 50,
      drainSpread: 2_000,
      drainRequests: true,
      maxAge: 3_600_000,
      ageJitter: 0.25,
      stopDeadline: 500,
      drainPropagation: 5_000,
      podPrefix: 'eu',
      allowOrigin: ['https://a.example', 'https://b.example'],
      json: true,
      quiet: true,
    });
  });

  it.each(['4s', '1', '0ms'])('refuses a --max-age of %s', async (text) => {
    const { code, error } = await tried('serve', MODULE, '--max-age', text);
    expect([code, error]).toEqual([2, expect.stringMatching(/--max-age/)]);
  });

  it('tells every flag with its default, the signals and examples in its help', async () => {
    const { code, out } = await tried('serve', '--help');
    expect(code).toBe(0);
    for (const flag of [
      'workers',
      'port',
      'host',
      'path',
      'store',
      'pod-prefix',
      'allow-origin',
      'json',
      'quiet',
      'drain-requests',
      'max-age',
      'age-jitter',
    ]) {
      expect(out).toMatch(new RegExp(`--${flag}\\b[^]*?\\(default:`));
    }
    for (const text of ['25s', '2s', '0ms', '127.0.0.1', 'SIGHUP', 'SIGTERM', '$ holdfast serve']) {
      expect(out).toContain(text);
    }
  });

  it('names what is wrong and what to do, and exits with 2, for a module that is not there', async () => {
    const { code, error } = await tried('serve', './no-such-module.mjs');
    expect(code).toBe(2);
    expect(error).toMatch(/HF_MODULE: .*no-such-module\.mjs.*\n {2}fix: /);
  });

  it('refuses a store that it does not know with HF_STORE_URL', async () => {
    const { code, error } = await tried('serve', MODULE, '--store', 'mysql://localhost');
    expect(code).toBe(2);
    expect(error).toMatch(/HF_STORE_URL: .*mysql:/);
  });

  it('refuses several workers that share no store', async () => {
    const { code, error } = await tried('serve', MODULE, '--store', 'memory:', '--workers', '2');
    expect(code).toBe(2);
    expect(error).toMatch(/HF_OPTION: .*--workers 2 .*memory:/);
  });

  it('passes the exit code of what it served on', async () => {
    const output = { out: () => undefined, error: () => undefined };
    expect(await run(['serve', MODULE], { serve: async () => 1 }, output)).toBe(1);
  });
});
