import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import ts from 'typescript';
import { afterEach, describe, expect, it } from 'vitest';
import { type RunningProcess, startProcess, type StartProcessOptions } from './process.js';
import { until } from './until.js';

const running: RunningProcess[] = [];
afterEach(async () => {
  for (const child of running.splice(0)) await child[Symbol.asyncDispose]();
});

async function start(script: string, options: Partial<StartProcessOptions> = {}): Promise<RunningProcess> {
  const child = await startProcess({ command: process.execPath, args: ['-e', script], ...options });
  running.push(child);
  return child;
}

const STAY = 'setInterval(() => undefined, 1000);';

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  const stat = `/proc/${pid}/stat`;
  // An orphan whose new parent does not reap it stays in the table as a zombie: dead all the same.
  return !existsSync(stat) || !/\) Z /.test(readFileSync(stat, 'utf8'));
}

/** This package as plain JavaScript, for a test runner that the test can kill. */
async function compiledSources(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-testing-'));
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
  for (const name of await readdir(import.meta.dirname)) {
    if (!name.endsWith('.ts') || name.endsWith('.test.ts')) continue;
    const source = await readFile(join(import.meta.dirname, name), 'utf8');
    const { outputText } = ts.transpileModule(source, {
      compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 },
    });
    await writeFile(join(folder, name.replace(/\.ts$/, '.js')), outputText);
  }
  return folder;
}

describe('startProcess', () => {
  it('waits for the ready line and hands out what it matched', async () => {
    const child = await start(`console.log('starting'); console.log('listening on port 4242'); ${STAY}`, {
      ready: /port (\d+)/,
    });
    expect(child.readyMatch?.[1]).toBe('4242');
    expect(child.stdout.kept).toEqual(['starting', 'listening on port 4242']);
    expect(isAlive(child.pid)).toBe(true);
  });

  it('adds to the environment and can take away from it', async () => {
    process.env['HOLDFAST_TEST_GONE'] = 'here';
    const child = await start(`console.error(process.env.HOLDFAST_TEST_NEW, process.env.HOLDFAST_TEST_GONE)`, {
      env: { HOLDFAST_TEST_NEW: 'new', HOLDFAST_TEST_GONE: undefined },
    });
    delete process.env['HOLDFAST_TEST_GONE'];
    expect(await child.exited).toEqual({ code: 0, signal: null });
    expect(child.stderr.kept).toEqual(['new undefined']);
  });

  it('fails with the output when it ends before it is ready', async () => {
    const starting = start(`console.error('no such port'); process.exit(3)`, { ready: /ready/ });
    await expect(starting).rejects.toThrow(/ended \(code 3\) before a line matched \/ready\/:\nno such port/);
  });

  it('kills it and fails when it is not ready in time', async () => {
    const starting = start(`console.log(process.pid); ${STAY}`, { ready: /never/, readyTimeoutMs: 300 });
    const error = await starting.then(
      () => undefined,
      (reason: unknown) => reason as Error,
    );
    expect(error?.message).toMatch(/^timed out after 300 ms waiting for \/never\//);
    const pid = Number(/^\d+$/m.exec(error?.message ?? '')?.[0] ?? process.pid);
    expect(isAlive(pid)).toBe(false);
  });

  it('fails when the command cannot run', async () => {
    await expect(startProcess({ command: 'no-such-command-here' })).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('reports the signal that ended it and sends no more', async () => {
    const child = await start(`console.log('up'); ${STAY}`, { ready: /up/ });
    expect(child.kill('SIGKILL')).toBe(true);
    expect(await child.exited).toEqual({ code: null, signal: 'SIGKILL' });
    expect(child.kill()).toBe(false);
    await expect(child.waitForLine(/anything/)).rejects.toThrow('ended (SIGKILL)');
  });

  it('finds lines that came before and lines that come later', async () => {
    const child = await start(
      `
      process.on('SIGUSR2', () => console.log('n=2'));
      console.log('n=1');
      ${STAY}`,
      { ready: /n=/ },
    );
    expect((await child.waitForLine(/n=(\d)/g))[1]).toBe('1');
    child.kill('SIGUSR2');
    expect((await child.waitForLine(/n=(2)/))[1]).toBe('2');
    await expect(child.waitForLine(/n=3/, 10)).rejects.toThrow(
      /timed out after 10 ms waiting for \/n=3\/ .*\nn=1\nn=2/s,
    );
  });

  it('lets it end by itself on stop, and kills it after the grace', async () => {
    const willing = await start(`process.on('SIGTERM', () => process.exit(7)); console.log('up'); ${STAY}`, {
      ready: /up/,
    });
    expect(await willing.stop()).toEqual({ code: 7, signal: null });
    const stubborn = await start(`process.on('SIGTERM', () => console.log('no')); console.log('up'); ${STAY}`, {
      ready: /up/,
    });
    expect(await stubborn.stop(50)).toEqual({ code: null, signal: 'SIGKILL' });
  });

  it('kills a stopped process and the children it left behind', async () => {
    const child = await start(
      `
      const grandchild = require('node:child_process').spawn(process.execPath, ['-e', '${STAY}'], { stdio: 'inherit' });
      console.log('grandchild ' + grandchild.pid);
      ${STAY}`,
      { ready: /grandchild (\d+)/ },
    );
    const grandchild = Number(child.readyMatch?.[1]);
    child.kill('SIGSTOP');
    await child[Symbol.asyncDispose]();
    expect(isAlive(child.pid)).toBe(false);
    await until(() => !isAlive(grandchild), { what: 'the grandchild to end' });
  });

  it('leaves no child behind when the test runner itself is killed', async () => {
    const folder = await compiledSources();
    const runner = spawn(
      process.execPath,
      [
        '--input-type=module',
        '-e',
        `const { startProcess } = await import(${JSON.stringify(pathToFileURL(join(folder, 'process.js')).href)});
       const child = await startProcess({ command: process.execPath, args: ['-e', ${JSON.stringify(STAY)}] });
       console.log(child.pid);`,
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const [chunk] = (await once(runner.stdout, 'data')) as [Buffer];
    await rm(folder, { recursive: true });
    const pid = Number(String(chunk));
    expect(isAlive(pid)).toBe(true);
    runner.kill('SIGKILL');
    await until(() => !isAlive(pid), { what: 'the orphan to be killed' });
  });
});
