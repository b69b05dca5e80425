import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { run } from '../program.js';

const POLICY = `
name: chat
environments:
  prod:
    hosts: [a.example.com]
    pods: ["127.0.0.1:3003", "127.0.0.1:3004"]
    hops: [nginx]
    routes:
      - websocket: /ws
  other:
    hosts: [b.example.com]
    hops: [cloudflare]
    routes:
      - websocket: /ws
        stickiness: ip
`;

let directory: string;
let file: string;
let out: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-render-'));
  file = join(directory, 'holdfast.yaml');
  out = join(directory, 'out');
  writeFileSync(file, POLICY);
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

async function rendered(...argv: string[]): Promise<{ code: number; out: string; error: string }> {
  let printed = '';
  let error = '';
  const code = await run(
    ['render', '-f', file, ...argv],
    {},
    { out: (text) => (printed += text), error: (text) => (error += text) },
  );
  return { code, out: printed, error };
}

const conf = (): string => join(out, 'nginx/conf.d/chat.conf');

describe('holdfast render', () => {
  it('prints what fits the hops, each file under its path', async () => {
    const { code, out: text } = await rendered('--env', 'prod');
    expect(code).toBe(0);
    expect(text.match(/^# nginx\/.*$/gm)).toEqual(['# nginx/nginx.conf', '# nginx/conf.d/chat.conf']);
    expect(text).toContain('location /ws {');
  });

  it('prints one file as it is, so that it can be piped', async () => {
    const { out: text } = await rendered('--env', 'prod', '--target', 'haproxy');
    expect(text.startsWith('# Rendered by holdfast from holdfast.yaml, environment prod, target haproxy.')).toBe(true);
  });

  it('prints JSON with the files and the notes of each target', async () => {
    const { out: text } = await rendered('--env', 'prod', '-t', 'nginx', '-t', 'envoy', '--json');
    const targets = JSON.parse(text) as { target: string; notes: string[]; files: { path: string; text: string }[] }[];
    expect(targets.map(({ target, files }) => [target, files.map(({ path }) => path)])).toEqual([
      ['nginx', ['nginx/nginx.conf', 'nginx/conf.d/chat.conf']],
      ['envoy', ['envoy/envoy.yaml']],
    ]);
    expect(targets[1]?.notes.join(' ')).toContain('--drain-time-s');
  });

  it('writes a folder for each target, says what it wrote, and writes the same again', async () => {
    const first = await rendered('--env', 'prod', '-o', out);
    expect(first.out.split('\n').filter(Boolean)).toEqual([join(out, 'nginx/nginx.conf'), conf()]);
    const text = readFileSync(conf(), 'utf8');
    expect((await rendered('--env', 'prod', '-o', out)).code).toBe(0);
    expect(readFileSync(conf(), 'utf8')).toBe(text);
    expect(readdirSync(join(out, 'nginx/conf.d')), 'nothing half-written stays').toEqual(['chat.conf']);
  });

  it('writes nothing at all when one of the files is somebody else’s, unless it is forced', async () => {
    mkdirSync(join(out, 'nginx/conf.d'), { recursive: true });
    writeFileSync(conf(), 'server {}\n');
    const refused = await rendered('--env', 'prod', '-o', out);
    expect(refused.code).toBe(2);
    expect(refused.error).toContain('HF_RENDER_FILE');
    expect(refused.error).toContain(conf());
    expect(readFileSync(conf(), 'utf8')).toBe('server {}\n');
    expect(readdirSync(join(out, 'nginx'))).toEqual(['conf.d']);
    expect((await rendered('--env', 'prod', '-o', out, '--force')).code).toBe(0);
    expect(readFileSync(conf(), 'utf8')).toContain('location /ws {');
  });

  it('tells with --check what is missing, differs or is not rendered any more, and touches nothing', async () => {
    const check = (): ReturnType<typeof rendered> => rendered('--env', 'prod', '-o', out, '--check');
    expect(await check()).toMatchObject({ code: 1, out: expect.stringContaining('nginx.conf is not there') as string });
    await rendered('--env', 'prod', '-o', out);
    expect(await check()).toMatchObject({ code: 0, out: '2 files are up to date\n' });
    writeFileSync(conf(), `${readFileSync(conf(), 'utf8')}# mine\n`);
    writeFileSync(join(out, 'nginx/conf.d/old.conf'), '# Rendered by holdfast from an older policy\n');
    writeFileSync(join(out, 'nginx/conf.d/mine.conf'), 'server {}\n');
    const stale = await check();
    expect(stale.code).toBe(1);
    expect(stale.out.split('\n').filter(Boolean)).toEqual([
      `${conf()} is not what the policy renders`,
      `${join(out, 'nginx/conf.d/old.conf')} is not rendered any more`,
    ]);
    const json = await rendered('--env', 'prod', '-o', out, '--check', '--json');
    expect(JSON.parse(json.out)).toMatchObject({
      upToDate: false,
      stale: [{ state: 'differs' }, { state: 'leftover' }],
    });
  });

  it.each<[string[], string]>([
    [[], 'several environments: prod, other'],
    [['--env', 'prd'], 'did you mean prod?'],
    [['--env', 'prod', '--target', 'ngnx'], '--target is "ngnx", not one of ingress-nginx, nginx'],
    [['--env', 'prod', '--check'], '--check without --out'],
    [['--env', 'other'], 'no target fits the hops of the environment other: name one'],
    [['--env', 'other', '-t', 'nginx'], 'nginx cannot do this: stickiness by ip without the addresses of the pods'],
  ])('answers what cannot be rendered with exit code 2: %j', async (argv, said) => {
    const { code, error, out: printed } = await rendered(...argv);
    expect(code).toBe(2);
    expect(error).toContain(said);
    expect(printed).toBe('');
  });

  it('says why a directory cannot be written to', async () => {
    writeFileSync(out, 'a file');
    const { code, error } = await rendered('--env', 'prod', '-o', out);
    expect(code).toBe(2);
    expect(error).toContain('cannot be written');
  });

  it('names every target in its help', async () => {
    const { code, out: help } = await rendered('--help');
    expect(code).toBe(0);
    for (const target of ['ingress-nginx', 'gateway-api', 'cloud-run', 'aws']) expect(help).toContain(`\n  ${target} `);
  });
});
