import { createHash, randomBytes } from 'node:crypto';
import { request, type IncomingMessage } from 'node:http';
import type { Probe, Verdict } from './checker.js';
import type { Pod } from './member.js';

/** A body that tells of a drain is short; what is longer is not read to its end. */
const BODY_BYTES_MAX = 16_384;
const HEADER_BYTES_MAX = 16_384;

/** Appended to the key of a handshake; RFC 6455, section 1.3. */
const ACCEPT_SUFFIX = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
/** A close frame with 1000, masked with zeros. */
const CLOSE_FRAME = Buffer.from([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8]);

/**
 * Asks `GET path`. 200 to 499 is up: a pod that has no such path still shows that it lives, so a backend that knows nothing of us can be
 * checked as well. 503 with a body that is JSON and says `"draining": true` is draining, as a pod of `@holdfast/server` answers. The rest
 * is down.
 */
export const httpProbe =
  (path: string): Probe =>
  async (pod, signal) => {
    const response = await ask(pod, path, {}, signal);
    const status = response.statusCode ?? 0;
    const verdict = status >= 200 && status < 500 ? 'up' : status === 503 ? await readVerdict(response) : 'down';
    response.destroy();
    return verdict;
  };

/** Makes a WebSocket handshake and closes again. Only a 101 with the right key is up. */
export const webSocketProbe =
  (path: string): Probe =>
  async (pod, signal) => {
    const key = randomBytes(16).toString('base64');
    const headers = {
      Connection: 'Upgrade',
      Upgrade: 'websocket',
      'Sec-WebSocket-Key': key,
      'Sec-WebSocket-Version': '13',
    };
    const response = await ask(pod, path, headers, signal);
    const accept = createHash('sha1').update(`${key}${ACCEPT_SUFFIX}`).digest('base64');
    const isUp = response.statusCode === 101 && response.headers['sec-websocket-accept'] === accept;
    if (isUp) response.socket.write(CLOSE_FRAME);
    response.socket.destroySoon();
    return isUp ? 'up' : 'down';
  };

function ask(pod: Pod, path: string, headers: Record<string, string>, signal: AbortSignal): Promise<IncomingMessage> {
  const { host, port } = pod;
  return new Promise((resolve, reject) => {
    // No agent: a check is to find out whether a new connection can be made.
    const options = { host, port, path, headers: { 'User-Agent': 'holdfast-check', ...headers }, agent: false, signal };
    request({ ...options, maxHeaderSize: HEADER_BYTES_MAX })
      .on('response', resolve)
      .on('upgrade', (response) => {
        response.socket.on('error', () => response.socket.destroy());
        resolve(response);
      })
      .on('error', reject)
      .end();
  });
}

async function readVerdict(response: IncomingMessage): Promise<Verdict> {
  let text = '';
  response.setEncoding('utf8');
  for await (const chunk of response) {
    text += chunk as string;
    if (text.length > BODY_BYTES_MAX) return 'down';
  }
  try {
    const body: unknown = JSON.parse(text);
    return typeof body === 'object' && body !== null && 'draining' in body && body.draining === true
      ? 'draining'
      : 'down';
  } catch {
    return 'down';
  }
}
