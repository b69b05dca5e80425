import { spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const command = join(import.meta.dirname, '../packages/cli/dist/main.js');

/** A `holdfast` command as a process, whose log is shown line by line under its name. */
export class Child {
  #events = new EventEmitter();
  #process;
  /** Where it listens, once it does. */
  url = '';

  /**
   * @param {string} name
   * @param {string[]} args
   * @param {Record<string, string>} [environment]
   */
  constructor(name, args, environment = {}) {
    this.name = name;
    this.#process = spawn(process.execPath, [command, ...args, '--json'], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, ...environment },
    });
    /** Resolves to its exit code. */
    this.exited = once(this.#process, 'exit').then(([code, signal]) => (signal === null ? code : 1));
    /** Resolves when it serves. */
    this.serves = this.logged('listening');
    createInterface({ input: this.#process.stdout }).on('line', (line) => this.#take(line));
    // Whoever is killed takes its children with it.
    process.on('exit', () => this.#process.kill('SIGKILL'));
  }

  end() {
    this.#process.kill('SIGTERM');
  }

  restart() {
    this.#process.kill('SIGHUP');
  }

  /**
   * Resolves when one of these is in its log.
   * @param {string[]} events
   */
  async logged(...events) {
    await Promise.race(events.map((event) => once(this.#events, event)));
  }

  /** @param {string} line */
  #take(line) {
    let logged;
    try {
      logged = JSON.parse(line);
    } catch {
      return console.log(`${this.name}: ${line}`);
    }
    // The access log of the gateway is not for a terminal.
    if (logged.event === undefined) return undefined;
    if (logged.event === 'listening') this.url = logged.url;
    const level = logged.level === 'info' ? '' : `${logged.level}: `;
    console.log(`${new Date(logged.time).toTimeString().slice(0, 8)} ${this.name}: ${level}${logged.message}`);
    return this.#events.emit(logged.event);
  }
}
