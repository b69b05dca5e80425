import { STATUS_CODES, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Refusal } from './refusal.js';

export type BodyFormat = 'json' | 'html';

export interface ErrorAnswer {
  readonly status: number;
  /** Name, value, name, value; the body's own included. */
  readonly headers: readonly string[];
  readonly body: string;
}

/** What somebody gets who is not served: the code to look up, and the id under which the log has it. */
export function errorAnswer(
  { status, error, detail, retryMs, headers = {} }: Refusal,
  id: string,
  format: BodyFormat,
): ErrorAnswer {
  const facts = {
    error: error.code,
    message: error.what,
    ...(detail !== undefined && { detail }),
    fix: error.fix,
    ...(retryMs !== undefined && { retryMs: Math.ceil(retryMs) }),
    requestId: id,
  };
  const body = format === 'json' ? `${JSON.stringify(facts)}\n` : page(status, facts);
  return {
    status,
    headers: [
      ...Object.entries(headers).flat(),
      ...(retryMs === undefined ? [] : ['Retry-After', String(Math.max(1, Math.ceil(retryMs / 1_000)))]),
      'Content-Type',
      format === 'json' ? 'application/json; charset=utf-8' : 'text/html; charset=utf-8',
      'Content-Length',
      String(Buffer.byteLength(body)),
      'Cache-Control',
      'no-store',
      'X-Request-Id',
      id,
    ],
    body,
  };
}

function page(status: number, facts: { error: string; message: string; detail?: string; requestId: string }): string {
  const title = `${status} ${STATUS_CODES[status] ?? ''}`;
  const lines = [facts.message, facts.detail, `${facts.error}, request ${facts.requestId}`];
  const paragraphs = lines.filter((line) => line !== undefined).map((line) => `<p>${escape(line)}</p>`);
  return `<!doctype html>\n<meta charset="utf-8"><title>${title}</title>\n<h1>${title}</h1>\n${paragraphs.join('\n')}\n`;
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
const escape = (text: string): string => text.replace(/[&<>"]/g, (character) => ENTITIES[character] as string);

/** Answers on a connection that has no `ServerResponse`, and ends it. Returns how many bytes of the body it wrote. */
export function writeError(socket: Duplex, answer: ErrorAnswer): number {
  if (socket.destroyed || socket.writableEnded) return 0;
  const lines = [`HTTP/1.1 ${answer.status} ${STATUS_CODES[answer.status] ?? ''}`, 'Connection: close'];
  for (let i = 0; i < answer.headers.length; i += 2) lines.push(`${answer.headers[i]}: ${answer.headers[i + 1]}`);
  socket.end(`${lines.join('\r\n')}\r\n\r\n${answer.body}`);
  return Buffer.byteLength(answer.body);
}

/** The same for a request; in the middle of another answer it ends the connection. */
export function sendError(response: ServerResponse, answer: ErrorAnswer): number {
  if (response.headersSent) {
    response.destroy();
    return 0;
  }
  response.writeHead(answer.status, [...answer.headers]);
  response.end(answer.body);
  return response.req.method === 'HEAD' ? 0 : Buffer.byteLength(answer.body);
}
