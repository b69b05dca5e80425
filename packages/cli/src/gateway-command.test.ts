import { describe, expect, it } from 'vitest';
import { environmentFor } from './gateway/environment.js';
import type { GatewayCommandOptions } from './gateway-command.js';
import { run } from './program.js';

async function tried(...argv: string[]): Promise<{ code: number; error: string; asked?: GatewayCommandOptions }> {
  let error = '';
  let asked: GatewayCommandOptions | undefined;
  const gateway = async (options: GatewayCommandOptions): Promise<number> => {
    asked = options;
    return 0;
  };
  const output = { out: () => undefined, error: (text: string) => void (error += text) };
  const code = await run(['gateway', ...argv], { gateway }, output);
  return { code, error, asked };
}

describe('holdfast gateway', () => {
  it('has a default for every flag', async () => {
    const { asked } = await tried('--to', '127.0.0.1:3003,127.0.0.1:3004', '--to', '[::1]:3005');
    expect(asked).toEqual({
      listen: [],
      to: ['127.0.0.1:3003', '127.0.0.1:3004', '[::1]:3005'],
      balance: 'session',
      carry: 'auto',
      check: false,
      json: false,
      quiet: false,
    });
  });

  it.each([
    ['no pods', [], 'where are the pods'],
    ['a file and flags', ['-f', 'x.yaml', '--to', 'a:1'], 'the policy says both'],
    ['an environment of nothing', ['--to', 'a:1', '--env', 'x'], '--env without -f'],
    ['a token for no port', ['--to', 'a:1', '--admin-token-file', 'x'], '--admin-token-file without --admin'],
    ['an address without a port', ['--to', 'a'], 'HF_OPTION'],
    ['a port that is none', ['--to', 'a:70000'], 'HF_OPTION'],
    ['a balance that is none', ['--to', 'a:1', '--balance', 'luck'], 'luck'],
  ])('answers %s with exit code 2', async (_what, argv, said) => {
    const { code, error, asked } = await tried(...argv);
    expect([code, asked]).toEqual([2, undefined]);
    expect(error).toContain(said);
  });

  it('makes of flags what a policy would say', async () => {
    const flags = '--to 10.0.0.7:80 --listen 0.0.0.0:9000 --balance cookie --carry hold --admin 127.0.0.1:9001 --json';
    const { asked } = await tried(...flags.split(' '));
    const environment = await environmentFor(asked as GatewayCommandOptions);
    expect(environment).toMatchObject({
      pods: [{ host: '10.0.0.7', port: 80, weight: 1 }],
      routes: [{ path: '/', match: 'prefix', carry: 'hold', stickiness: { by: 'cookie' } }],
      gateway: {
        listen: [{ host: '0.0.0.0', port: 9_000 }],
        admin: { host: '127.0.0.1', port: 9_001 },
        accessLog: 'json',
      },
    });
  });

  it('finds what is wrong with a policy, and with what it names, when it only checks', async () => {
    let out = '';
    let error = '';
    const output = { out: (text: string) => void (out += text), error: (text: string) => void (error += text) };
    expect(await run(['gateway', '--to', '127.0.0.1:1', '--check', '--json'], {}, output)).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ ok: true, pods: 1 });
    const missing = ['--admin', '127.0.0.1:9', '--admin-token-file', '/nowhere/token'];
    expect(await run(['gateway', '--to', '127.0.0.1:1', '--check', ...missing], {}, output)).toBe(2);
    expect(error).toContain('/nowhere/token');
  });
});
