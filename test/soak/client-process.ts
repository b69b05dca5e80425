import { type ChildProcess, fork } from 'node:child_process';
import { resolve } from 'node:path';
import { deferred } from '@holdfast/testing';
import type { ClientNews, ClientOrder, ClientSettings } from './protocol.js';

type Progress = Extract<ClientNews, { type: 'progress' }>;
type Finished = Extract<ClientNews, { type: 'finished' }>;

/** A process with some of the clients. */
export class ClientProcess implements Disposable {
  progress: Progress | undefined;
  readonly #child: ChildProcess;
  readonly #connected = deferred<void>();
  readonly #finished = deferred<Finished>();

  constructor(note: (text: string) => void) {
    this.#child = fork(resolve('test/soak/clients.mjs'), {
      // What this process was started with may be for sources; clients run what a user runs.
      execArgv: [],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.#child.on('message', (news: ClientNews) => {
      if (news.type === 'connected') this.#connected.resolve();
      else if (news.type === 'finished') this.#finished.resolve(news);
      else if (news.type === 'progress') this.progress = news;
      else note(news.text);
    });
    this.#child.on('exit', (code, signal) => {
      const error = new Error(`a process of clients has ended (${signal ?? code})`);
      this.#connected.reject(error);
      this.#finished.reject(error);
    });
    // Whoever waits for one of the two hears of it; who waits for neither must not end this process.
    for (const { promise } of [this.#connected, this.#finished]) promise.catch(() => undefined);
  }

  async begin(settings: ClientSettings): Promise<void> {
    this.tell({ type: 'begin', settings });
    await this.#connected.promise;
  }

  tell(order: ClientOrder): void {
    if (this.#child.connected) this.#child.send(order);
  }

  async finish(news: number): Promise<Finished> {
    this.tell({ type: 'finish', news });
    return this.#finished.promise;
  }

  [Symbol.dispose](): void {
    this.#child.kill('SIGKILL');
  }
}
