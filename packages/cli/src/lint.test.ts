import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LintFlags } from './lint-command.js';
import { type LintTerminal, runLint } from './lint.js';
import { run } from './program.js';

const CONFIG = `upstream app {
    hash $cookie_x;
    server a:1;
}
server {
    location /ws {
        proxy_pass http://app;
        proxy_http_version 1.1;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection upgrade;
        proxy_read_timeout 50s;
    }
}
`;
const POLICY = `name: app
environments:
  prod:
    hosts: [a.example.com]
    pods: ['127.0.0.1:3000']
    hops: [nginx]
    routes: [{ websocket: /ws }]
    keepalive: { application: { ping: 2s, from: client } }
`;

describe('holdfast lint', () => {
  let directory: string;
  let path: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'holdfast-lint-'));
    path = join(directory, 'site.conf');
    writeFileSync(path, CONFIG);
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  /** Runs the command with a terminal of our own. */
  async function lint(args: readonly string[], terminal: Partial<LintTerminal> = {}) {
    const said = { out: '', error: '' };
    const output = {
      out: (text: string) => void (said.out += text),
      error: (text: string) => void (said.error += text),
    };
    const everything = { stdin: async () => '', isColoured: false, ask: undefined, ...terminal };
    const action = async (flags: LintFlags) => runLint(flags, output, everything);
    const code = await run(['lint', ...args], { lint: action }, output);
    return { ...said, code };
  }

  it('prints findings and a summary, and fails from a severity on', async () => {
    const { out, code } = await lint([path]);
    expect(out).toContain(`${path}:2:5 warning NGX019 `);
    expect(out).toMatch(/^2 warnings in 1 file \(1 can be repaired by --fix\)$/m);
    expect(code).toBe(0);
    expect((await lint([path, '--fail-on', 'warning'])).code).toBe(1);
  });

  it('prints an array of exactly the fields of a finding', async () => {
    const { out } = await lint([path, '--json', '--rule', 'ngx019']);
    const findings = JSON.parse(out) as object[];
    expect(findings.map((finding) => Object.keys(finding))).toEqual([
      ['rule', 'severity', 'file', 'line', 'column', 'message', 'fix', 'docs'],
    ]);
    expect(JSON.parse((await lint([path, '--sarif'])).out)).toMatchObject({ version: '2.1.0' });
  });

  it('judges numbers by the policy', async () => {
    expect((await lint([path])).out).toContain('NGX013');
    const policy = join(directory, 'holdfast.yaml');
    writeFileSync(policy, POLICY);
    const judged = await lint([path, '--policy', policy, '--env', 'prod']);
    expect(judged.out).toContain('NGX019');
    expect(judged.out).not.toContain('NGX013');
    expect(judged.code).toBe(0);
    expect((await lint([path, '--policy', policy, '--env', 'prdo'])).code).toBe(2);
  });

  it('reads standard input', async () => {
    const { out, code } = await lint(['-', '--json'], {
      stdin: async () => 'server { location /ws { proxy_pass http://a; } }',
    });
    expect(JSON.parse(out)).toMatchObject([{ rule: 'NGX001', file: '<stdin>', line: 1, column: 10 }]);
    expect(code).toBe(1);
  });

  it('shows what --fix would do and writes it only when it may', async () => {
    const dry = await lint([path, '--fix', '--dry-run']);
    expect(dry.out).toContain('-    hash $cookie_x;\n+    hash $cookie_x consistent;\n');
    expect((await lint([path, '--fix'])).out).toContain('give --yes');
    expect((await lint([path, '--fix'], { ask: async () => 'n' })).out).toContain('NGX019');
    expect(readFileSync(path, 'utf8')).toBe(CONFIG);

    const { out } = await lint([path, '--fix'], { ask: async () => 'y' });
    expect(out).toMatch(/^1 warning in 1 file$/m);
    expect(readFileSync(path, 'utf8')).toBe(CONFIG.replace('$cookie_x;', '$cookie_x consistent;'));
    expect((await lint([path, '--fix', '--yes'])).out).toContain('nothing has a certain repair');
  });

  it('keeps the bytes of a file that is no UTF-8, and of its line ends', async () => {
    const bytes = Buffer.concat([
      Buffer.from([0x23, 0xe9, 0xff, 0x0d, 0x0a]),
      Buffer.from(CONFIG.replaceAll('\n', '\r\n')),
    ]);
    writeFileSync(path, bytes);
    await lint([path, '--fix', '--yes']);
    expect(readFileSync(path, 'latin1')).toBe(bytes.toString('latin1').replace('$cookie_x;', '$cookie_x consistent;'));
  });

  it('does not overwrite what has changed meanwhile', async () => {
    const ask = async () => {
      writeFileSync(path, '# mine\n');
      return 'y';
    };
    const { error, code } = await lint([path, '--fix'], { ask });
    expect(error).toContain('has changed since it was read');
    expect(code).toBe(2);
    expect(readFileSync(path, 'utf8')).toBe('# mine\n');
  });

  it.each([
    [['--rule', 'NGX999'], '--rule is "NGX999"'],
    [['--nginx-version', 'new'], '--nginx-version is "new"'],
    [['--env', 'prod'], '--env is "prod", not of use without --policy'],
    [['--yes'], '--yes'],
    [['--json', '--sarif'], 'cannot be used with'],
    [['--fail-on', 'never'], 'Allowed choices'],
    [['--policy', '/does/not/exist.yaml'], 'there is no such file'],
  ])('refuses %j', async (args, message) => {
    const { error, code } = await lint([path, ...args]);
    expect(error).toContain(message);
    expect(code).toBe(2);
  });

  it('tells of a path that does not exist, and goes on', async () => {
    const { out } = await lint([join(directory, 'gone.conf'), path]);
    expect(out).toContain('LINT002');
    expect(out).toContain('NGX019');
  });
});
