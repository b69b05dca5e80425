import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { Lines, type LinesOptions } from './lines.js';
import { deferred } from './deferred.js';
import { TimeoutError } from './until.js';

/** The program to run and how it says that it is ready. */
export interface StartProcessOptions extends LinesOptions {
  /** The program: a name on the PATH or a path. No shell is involved. */
  command: string;
  /** Its arguments. Default none. */
  args?: readonly string[];
  /** Variables added to this process's environment; `undefined` removes one. Default none. */
  env?: Readonly<Record<string, string | undefined>>;
  /** Its working directory. Default: this process's. */
  cwd?: string;
  /** The line, on stdout or stderr, by which it says that it is ready. Without it the process is ready once spawned. */
  ready?: RegExp;
  /** How long to wait for that line, in milliseconds, before killing it and throwing. Default 10,000. */
  readyTimeoutMs?: number;
}

/** How a process ended: by an exit code or by a signal. */
export interface ProcessExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A child process under a test's control. */
export interface RunningProcess extends AsyncDisposable {
  readonly pid: number;
  /** The match of the ready line, with its groups: `/port (\d+)/` gives the port as `readyMatch?.[1]`. */
  readonly readyMatch: RegExpExecArray | undefined;
  readonly stdout: Lines;
  readonly stderr: Lines;
  /** Resolves when the process has ended and its output is read; never rejects. */
  readonly exited: Promise<ProcessExit>;
  /** Sends the process, not its children, a signal (default SIGTERM); false when it has ended. */
  kill(signal?: NodeJS.Signals): boolean;
  /** Resolves with the match of the first line, among those kept and those to come; rejects after `timeoutMs` (default 5,000). */
  waitForLine(pattern: RegExp, timeoutMs?: number): Promise<RegExpExecArray>;
  /** SIGTERM, then SIGKILL after `graceMs` (default 5,000), to the process; then SIGKILL to what is left of its group. */
  stop(graceMs?: number): Promise<ProcessExit>;
}

const OWN_GROUP = process.platform !== 'win32';

function signalGroup(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(OWN_GROUP ? -pid : pid, signal);
  } catch {
    return false; // ESRCH: nobody is left
  }
}

/**
 * Kills the group when this process goes without having said so, even by SIGKILL: the guard's standard input then ends without
 * the line that `release` writes. POSIX only; elsewhere a killed test runner can leave children behind.
 */
function guardGroup(pid: number): { release: () => void } {
  if (!OWN_GROUP) return { release: () => undefined };
  const script = `read -r released || kill -s KILL -- -${pid}`;
  const guard = spawn('/bin/sh', ['-c', script], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
  guard.on('error', () => undefined);
  guard.stdin.on('error', () => undefined);
  guard.unref();
  (guard.stdin as unknown as { unref(): void }).unref();
  return { release: () => guard.stdin.end('released\n') };
}

function waitForLine(child: RunningChild, pattern: RegExp, timeoutMs: number): Promise<RegExpExecArray> {
  const { streams, exited, name } = child;
  const found = deferred<RegExpExecArray>();
  const look = (line: string): void => {
    pattern.lastIndex = 0; // a /g pattern would go on where the last line's match ended
    const match = pattern.exec(line);
    if (match !== null) found.resolve(match);
  };
  for (const stream of streams) stream.kept.forEach(look);
  const ends = streams.map((stream) => stream.listen(look));
  const output = (): string => `\n${streams.map(String).filter(Boolean).join('\n') || '(no output)'}`;
  const timer = setTimeout(() => {
    found.reject(new TimeoutError(`timed out after ${timeoutMs} ms waiting for ${pattern} from ${name}:${output()}`));
  }, timeoutMs);
  void exited.then(({ code, signal }) => {
    found.reject(new Error(`${name} ended (${signal ?? `code ${code}`}) before a line matched ${pattern}:${output()}`));
  });
  return found.promise.finally(() => {
    clearTimeout(timer);
    ends.forEach((end) => end());
  });
}

interface RunningChild {
  readonly name: string;
  readonly streams: readonly Lines[];
  readonly exited: Promise<ProcessExit>;
}

async function spawned(options: StartProcessOptions): Promise<ChildProcess & { readonly pid: number }> {
  const child = spawn(options.command, options.args ?? [], {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    // A group of its own, so that the children it leaves behind can be found, and Ctrl-C reaches them through us only.
    detached: OWN_GROUP,
  });
  await once(child, 'spawn'); // rejects with the 'error' of a command that cannot run
  return child as ChildProcess & { readonly pid: number };
}

/**
 * Runs a program, waits until it says that it is ready, and makes sure that neither it nor its children outlive the test: dispose of
 * it (`await using`, or `afterEach`), and if the test runner itself is killed a guard kills the whole process group.
 */
export async function startProcess(options: StartProcessOptions): Promise<RunningProcess> {
  const child = await spawned(options);
  const { pid } = child;
  const guard = guardGroup(pid);
  const stdout = new Lines(child.stdout!, options);
  const stderr = new Lines(child.stderr!, options);
  let groupLeft = true;
  child.once('exit', () => {
    // Looked at once, before the number can be given to another process.
    groupLeft = OWN_GROUP && signalGroup(pid, 0);
    if (!groupLeft) guard.release();
  });
  // 'close' waits for the pipes, and a grandchild can hold those open for ever: a second after 'exit' no more output is awaited.
  const exited = new Promise<ProcessExit>((resolve) => {
    child.once('close', (code, signal) => resolve({ code, signal }));
    child.once('exit', (code, signal) => setTimeout(resolve, 1000, { code, signal }).unref());
  });
  const running: RunningChild = {
    name: [options.command, ...(options.args ?? [])].join(' '),
    streams: [stdout, stderr],
    exited,
  };
  const alive = (): boolean => child.exitCode === null && child.signalCode === null;
  const killGroup = (): void => {
    if (groupLeft) signalGroup(pid, 'SIGKILL');
    groupLeft = false;
    guard.release();
  };
  const dispose = async (): Promise<void> => {
    killGroup();
    await exited;
  };

  let readyMatch: RegExpExecArray | undefined;
  if (options.ready !== undefined) {
    try {
      readyMatch = await waitForLine(running, options.ready, options.readyTimeoutMs ?? 10_000);
    } catch (error) {
      await dispose();
      throw error;
    }
  }
  return {
    pid,
    readyMatch,
    stdout,
    stderr,
    exited,
    kill: (signal = 'SIGTERM') => alive() && child.kill(signal),
    waitForLine: (pattern, timeoutMs = 5000) => waitForLine(running, pattern, timeoutMs),
    stop: async (graceMs = 5000) => {
      if (alive()) child.kill('SIGTERM');
      const timer = setTimeout(killGroup, graceMs);
      const exit = await exited;
      clearTimeout(timer);
      killGroup();
      return exit;
    },
    [Symbol.asyncDispose]: dispose,
  };
}
