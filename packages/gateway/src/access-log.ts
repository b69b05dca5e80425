import type { Held } from './account.js';
import type { Visit } from './visit.js';

/** Takes finished requests and WebSockets. */
export interface AccessLog {
  write(visit: Visit, nowMs: number, wallMs: number): void;
}

/** Longest path that a line holds. */
const PATH_MAX = 1_024;

/**
 * Path, and of the query only the public id of a session: whatever else is in a query may be a secret. Ids of sessions are not: resuming
 * takes a token that is never in a URL.
 */
export function loggedTarget(target: string): string {
  const [path = '', query] = target.split('?', 2);
  const shown = path.slice(0, PATH_MAX);
  if (query === undefined) return shown;
  const id = /(?:^|&)hf=([\w.~-]{1,128})(?:&|$)/.exec(query)?.[1];
  return id === undefined ? `${shown}?...` : `${shown}?hf=${id}`;
}

/** One JSON object. */
export function jsonLine(visit: Visit, durationMs: number, time: string): string {
  const { account, id, clientAddress, peerAddress, scheme, host, target } = visit;
  const isWebSocket = account.status === 101;
  return JSON.stringify({
    time,
    id,
    kind: isWebSocket ? 'websocket' : 'request',
    client: clientAddress,
    ...(peerAddress !== clientAddress && { peer: peerAddress }),
    scheme,
    host,
    method: visit.method,
    target: loggedTarget(target),
    status: account.status,
    upstream: account.pods.at(-1),
    ...(account.pods.length > 1 && { tried: account.pods }),
    durationMs: Math.round(durationMs * 10) / 10,
    bytesIn: account.toPod.bytes,
    bytesOut: account.toClient.bytes,
    ...(isWebSocket && {
      messagesIn: account.toPod.messages,
      messagesOut: account.toClient.messages,
      closeCode: account.closeCode,
    }),
    ...(account.held && { held: account.held }),
    closedBy: account.closedBy,
    cause: account.cause,
    agent: visit.agent,
  });
}

/** The fields of nginx's `combined`, and behind them what a WebSocket needs. */
export function nginxLine(visit: Visit, durationMs: number, time: Date): string {
  const { account, id, clientAddress, target } = visit;
  const quoted = (text: string | undefined): string => JSON.stringify(text ?? '-');
  const line = visit.method === '' ? '' : `${visit.method} ${loggedTarget(target)} HTTP/${visit.httpVersion}`;
  return [
    clientAddress,
    '- -',
    `[${nginxTime(time)}]`,
    JSON.stringify(line),
    account.status ?? '-',
    account.toClient.bytes,
    quoted(visit.referer),
    quoted(visit.agent),
    `rt=${(durationMs / 1_000).toFixed(3)}`,
    `up=${account.pods.join(',') || '-'}`,
    `in=${account.toPod.bytes}/${account.toPod.messages}`,
    `out=${account.toClient.bytes}/${account.toClient.messages}`,
    `code=${account.closeCode ?? '-'}`,
    ...(account.held ? [`held=${heldText(account.held)}`] : []),
    `by=${account.closedBy ?? '-'}`,
    `cause=${account.cause ?? '-'}`,
    `id=${id}`,
  ].join(' ');
}

/** `attempts/unanswered/unknown/resent/undelivered` */
const heldText = ({ attempts, unanswered, unknown, resent, undelivered = 0 }: Held): string =>
  [attempts, unanswered, unknown, resent, undelivered].join('/');

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** `25/Nov/2026:17:30:00 +0000` */
function nginxTime(time: Date): string {
  const two = (n: number): string => String(n).padStart(2, '0');
  const date = `${two(time.getUTCDate())}/${MONTHS[time.getUTCMonth()]}/${time.getUTCFullYear()}`;
  return `${date}:${two(time.getUTCHours())}:${two(time.getUTCMinutes())}:${two(time.getUTCSeconds())} +0000`;
}

/** Lines that wait to be written at most; with more, the newest are dropped and counted. */
const LINES_MAX = 10_000;

/** Writes lines in the format that was asked for, those of one turn of the event loop together. */
export class LineLog implements AccessLog {
  readonly #format: 'json' | 'nginx';
  readonly #output: (text: string) => void;
  #lines: string[] = [];
  /** Lines that were not written because too many came at once. */
  dropped = 0;

  constructor(format: 'json' | 'nginx', output: (text: string) => void) {
    this.#format = format;
    this.#output = output;
  }

  write(visit: Visit, nowMs: number, wallMs: number): void {
    if (this.#lines.length >= LINES_MAX) return void this.dropped++;
    const durationMs = nowMs - visit.beganMs;
    const time = new Date(wallMs);
    this.#lines.push(
      this.#format === 'json' ? jsonLine(visit, durationMs, time.toISOString()) : nginxLine(visit, durationMs, time),
    );
    if (this.#lines.length === 1) setImmediate(() => this.flush());
  }

  flush(): void {
    if (this.#lines.length === 0) return;
    const text = `${this.#lines.join('\n')}\n`;
    this.#lines = [];
    this.#output(text);
  }
}
