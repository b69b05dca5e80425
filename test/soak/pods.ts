import { resolve } from 'node:path';
import { type Random, type RunningProcess, startProcess, until } from '@holdfast/testing';
import { isAlive } from '../serve.fixture.js';

/** Pods that share a port and a store: `holdfast serve`, with a process for each. */
export class Pods implements AsyncDisposable {
  readonly port: number;
  readonly #count: number;
  readonly #process: RunningProcess;

  private constructor(process: RunningProcess, count: number) {
    this.port = Number(process.readyMatch?.[1]);
    this.#process = process;
    this.#count = count;
  }

  static async start(count: number, store: string, flags: readonly string[]): Promise<Pods> {
    const serve = ['serve', resolve('test/soak/app.mjs'), '--json', '--port', '0'];
    const process = await startProcess({
      command: globalThis.process.execPath,
      args: [resolve('packages/cli/dist/main.js'), ...serve, '--workers', `${count}`, '--store', store, ...flags],
      ready: /"event":"listening".*"url":"http:\/\/127\.0\.0\.1:(\d+)/,
      readyTimeoutMs: 60_000,
      linesMax: 100_000,
    });
    const pods = new Pods(process, count);
    await until(() => pods.living.length === count, { timeoutMs: 60_000, what: 'all pods' });
    return pods;
  }

  get living(): number[] {
    const lines = this.#process.stdout.kept;
    return lines.flatMap((line) => /^worker (\d+)$/.exec(line)?.slice(1).map(Number) ?? []).filter(isAlive);
  }

  /** SIGKILL, where all are there: with none left, nothing would be shown but waiting. True if one was killed. */
  killOne(random: Random): boolean {
    const { living } = this;
    if (living.length < this.#count) return false;
    process.kill(random.pick(living), 'SIGKILL');
    return true;
  }

  /** All pods one after another. On a busy machine a successor may be too late, and then the restart is tried once more. */
  async restart(): Promise<void> {
    const before = new Set(this.living);
    const isDone = (): boolean => this.living.length >= this.#count && this.living.every((pid) => !before.has(pid));
    for (let attempt = 1; attempt <= 3 && !isDone(); attempt++) {
      const ends = this.#restartsEnded;
      this.#process.kill('SIGHUP');
      await until(() => this.#restartsEnded > ends, { timeoutMs: 300_000, what: 'the end of a rolling restart' });
    }
    await until(isDone, { timeoutMs: 60_000, what: 'all pods to be new' });
  }

  get #restartsEnded(): number {
    return this.#process.stdout.kept.filter((line) => /"event":"restart\.(?:done|failed)"/.test(line)).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process.stop(30_000);
  }
}
