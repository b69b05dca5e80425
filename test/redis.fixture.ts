import { mkdtempSync, rmSync } from 'node:fs';
import { readdir, stat, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, type RunningProcess, startProcess } from '@holdfast/testing';
import { createClient } from 'redis';

/** A real server in a directory of its own, which keeps nothing on disk unless its flags say so. */
export class RedisServer implements AsyncDisposable {
  readonly port: number;
  readonly url: string;
  readonly #directory = mkdtempSync(join(tmpdir(), 'holdfast-redis-'));
  readonly #flags: readonly string[];
  #process!: RunningProcess;

  private constructor(port: number, flags: readonly string[]) {
    this.port = port;
    this.url = `redis://127.0.0.1:${port}`;
    this.#flags = flags;
  }

  static async start(flags: readonly string[] = []): Promise<RedisServer> {
    const server = new RedisServer(await freePort(), flags);
    await server.#start();
    return server;
  }

  /** Sends one command, over a connection of its own. */
  async command(...args: string[]): Promise<unknown> {
    const client = createClient({ url: this.url });
    client.on('error', () => undefined);
    await client.connect();
    try {
      return await client.sendCommand(args);
    } finally {
      client.destroy();
    }
  }

  /** SIGSTOP: nothing is answered, and connections stay. */
  pause(): void {
    this.#process.kill('SIGSTOP');
  }

  resume(): void {
    this.#process.kill('SIGCONT');
  }

  async stop(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    this.#process.kill(signal);
    await this.#process.exited;
  }

  /** Starts it again on the same port, with what it kept on disk. */
  async restart(signal?: NodeJS.Signals): Promise<void> {
    await this.stop(signal);
    await this.#start();
  }

  /** Whether what it kept ended in the middle of something when it started last. */
  get isTorn(): boolean {
    return this.#process.stdout.kept.some((line) => line.includes('Truncating the AOF'));
  }

  /** How much there is of the append-only file that it writes to now. */
  async keptBytes(): Promise<number> {
    return (await stat(await this.#kept())).size;
  }

  /** As a kill in the middle of a write, or a loss of power, leaves that file. */
  async cutKept(bytes: number): Promise<void> {
    await truncate(await this.#kept(), bytes);
  }

  async #kept(): Promise<string> {
    const [name] = (await readdir(join(this.#directory, 'appendonlydir'))).filter((each) => each.endsWith('.incr.aof'));
    return join(this.#directory, 'appendonlydir', name ?? '');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill('SIGCONT');
    await this.stop();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  async #start(): Promise<void> {
    this.#process = await startProcess({
      command: 'redis-server',
      args: ['--port', `${this.port}`, '--bind', '127.0.0.1', '--dir', this.#directory, '--save', '', ...this.#flags],
      ready: /Ready to accept connections/,
      // It reads what it has kept first.
      readyTimeoutMs: 60_000,
    });
  }
}
