import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';

const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** Nothing but our own files, our own WebSockets and no frame around us. */
const HEADERS = {
  'Content-Security-Policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; '),
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cache-Control': 'no-cache',
};

/**
 * Serves the files of a folder, and a few more, by name: they are read once, so there is no path to go astray on.
 * @param {{ folder: string, more: Record<string, string> }} options
 * @returns {import('node:http').RequestListener}
 */
export function serveFiles({ folder, more }) {
  const paths = { ...more };
  for (const name of readdirSync(folder)) paths[`/${name}`] = join(folder, name);
  const files = new Map(Object.entries(paths).map(([url, path]) => [url, read(path)]));
  files.set('/', files.get('/index.html'));

  return ({ method, url = '', headers }, response) => {
    const file = files.get(url.split('?')[0]);
    const isRead = method === 'GET' || method === 'HEAD';
    const status = !file ? 404 : !isRead ? 405 : headers['if-none-match'] === file.etag ? 304 : 200;
    response.writeHead(status, { ...HEADERS, ...(file && isRead && { 'Content-Type': file.type, ETag: file.etag }) });
    response.end(status === 200 && method === 'GET' ? file.body : undefined);
  };
}

function read(path) {
  const body = readFileSync(path);
  return { body, type: TYPES[extname(path)], etag: `"${createHash('sha256').update(body).digest('base64url')}"` };
}
