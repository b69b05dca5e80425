import { inspect, styleText } from 'node:util';

export type Level = 'info' | 'warn' | 'error';

/** What a log line has besides its text */
export type Fields = Readonly<Record<string, string | number | boolean | undefined>>;

export interface LogOptions {
  /** One JSON object a line instead of text. */
  readonly json: boolean;
  /** Warnings and errors only. */
  readonly quiet: boolean;
  /** Colours, for a terminal. */
  readonly colour: boolean;
  /** In every line: who writes. */
  readonly pod?: string;
  readonly write: (line: string) => void;
  readonly now: () => Date;
}

/** Tells people, or the program that collects logs, what happens. `event` is stable, the message is for reading. */
export class Log {
  readonly #options: LogOptions;

  constructor(options: LogOptions) {
    this.#options = options;
  }

  info(event: string, message: string, fields: Fields = {}): void {
    if (!this.#options.quiet) this.#write('info', event, message, fields);
  }

  warn(event: string, message: string, fields: Fields = {}): void {
    this.#write('warn', event, message, fields);
  }

  error(event: string, message: string, error?: unknown, fields: Fields = {}): void {
    this.#write('error', event, message, fields, error === undefined ? undefined : stackOf(error));
  }

  #write(level: Level, event: string, message: string, fields: Fields, stack?: string): void {
    const { json, write, now, pod } = this.#options;
    const time = now();
    const line = json
      ? JSON.stringify({ time: time.toISOString(), level, event, message, pod, ...fields, stack })
      : this.#text(time, level, pod === undefined ? message : `${pod}: ${message}`, stack);
    write(`${line}\n`);
  }

  #text(time: Date, level: Level, message: string, stack?: string): string {
    const clock = time.toTimeString().slice(0, 8);
    const text = stack === undefined ? message : `${message}\n${stack.replace(/^/gm, '  ')}`;
    if (!this.#options.colour) return level === 'info' ? `${clock} ${text}` : `${clock} ${level}: ${text}`;
    const colours = { info: 'reset', warn: 'yellow', error: 'red' } as const;
    return `${styleText('dim', clock)} ${styleText(colours[level], text)}`;
  }
}

/** The log of this process. */
export function processLog(options: Pick<LogOptions, 'json' | 'quiet' | 'pod'>): Log {
  const colour = process.stdout.isTTY && !process.env['NO_COLOR'];
  return new Log({ ...options, colour, now: () => new Date(), write: (line) => void process.stdout.write(line) });
}

function stackOf(error: unknown): string {
  if (typeof error === 'string') return error;
  if (!(error instanceof Error)) return inspect(error);
  const stack = error.stack ?? `${error.name}: ${error.message}`;
  return error.cause === undefined ? stack : `${stack}\ncaused by ${stackOf(error.cause)}`;
}
