import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RunningProcess, startProcess, until } from '@holdfast/testing';

const command = join(import.meta.dirname, '../packages/cli/dist/main.js');

/** Echoes messages with the name of the pod; answers requests with the pod as JSON. */
export const ECHO = `
  export default ({ wss, http, pod }) => {
    http.on('request', (request, response) => response.end(JSON.stringify(pod)));
    wss.on('connection', (socket) => {
      socket.on('message', (data) => socket.send(pod.id + ' ' + data));
    });
  };`;

export interface Serving extends AsyncDisposable {
  readonly process: RunningProcess;
  /** Where the module is, to be written anew. */
  readonly modulePath: string;
  readonly url: string;
  /** The log, parsed. */
  readonly log: () => Record<string, unknown>[];
  /** Resolves when an event is in the log for the nth time, with that line. */
  readonly logged: (event: string, nth?: number) => Promise<Record<string, unknown>>;
}

/** A folder with a module in it, for the command to serve. */
export function moduleFolder(source: string): { readonly folder: string; readonly path: string } & Disposable {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-serve-'));
  const path = join(folder, 'app.mjs');
  writeFileSync(path, source);
  return { folder, path, [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) };
}

/** The command line that serves a module with a store beside it, on a port that is free. */
export function serveArgs(folder: string, flags: readonly string[] = []): string[] {
  return [command, 'serve', 'app.mjs', '--port', '0', '--store', `lmdb:${join(folder, 'data')}`, '--json', ...flags];
}

/** Serves a module with real processes, and resolves when all workers serve. */
export async function serveModule(source: string, workers: number, flags: readonly string[] = []): Promise<Serving> {
  const { folder, path, [Symbol.dispose]: remove } = moduleFolder(source);
  const process = await startProcess({
    command: globalThis.process.execPath,
    args: serveArgs(folder, ['--workers', String(workers), ...flags]),
    cwd: folder,
    ready: /"event":"listening".*"url":"([^"]+)"/,
  });
  const log = (): Record<string, unknown>[] =>
    process.stdout.kept.flatMap((line) => (line.startsWith('{') ? [JSON.parse(line) as Record<string, unknown>] : []));
  const logged: Serving['logged'] = (event, nth = 1) =>
    until(() => log().filter((line) => line['event'] === event)[nth - 1], {
      timeoutMs: 20_000,
      what: () => `${event} in the log:\n${String(process.stdout)}\n${String(process.stderr)}`,
    });
  const dispose = async (): Promise<void> => {
    await process[Symbol.asyncDispose]();
    remove();
  };
  await logged('worker.ready', workers);
  return { process, modulePath: path, url: process.readyMatch?.[1] ?? '', log, logged, [Symbol.asyncDispose]: dispose };
}

/** The processes of the workers that were ever ready, in that order. */
export const workerPids = (serving: Serving): number[] =>
  serving
    .log()
    .filter(({ event }) => event === 'worker.ready')
    .map(({ pid }) => Number(pid));

/** Whether a process runs. One that has ended and that nobody has asked about yet, as in a container without an init, does not. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return process.platform !== 'linux' || !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}
