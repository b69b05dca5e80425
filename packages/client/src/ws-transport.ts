import type { Socket } from 'node:net';
import { CLOSE, closeReason, errors } from '@holdfast/protocol';
import { WebSocket, type ClientOptions } from 'ws';
import type { Dial, TransportListener } from './transport.js';

/** Codes of {@link Dial abandon} that say that the peer does not answer: no closing handshake, no wait. */
const UNANSWERED: ReadonlySet<number> = new Set([CLOSE.silent, CLOSE.handshake, CLOSE.slowWrite]);

/**
 * Transports over `ws`. Compression is not offered unless the options say so: it costs each connection the memory of two zlib
 * contexts and each message a turn through the thread pool, and what the contexts have learnt is lost with the transport.
 */
export const wsDial =
  (options: object): Dial =>
  (url, protocols, listener) => {
    const socket = new WebSocket(url, protocols, { perMessageDeflate: false, ...options } satisfies ClientOptions);
    let abandoned = false;
    let opened = false;
    let error: Error | undefined;
    const together = new Together();
    socket.on('upgrade', (response) => (together.wire = response.socket));
    socket.on('open', () => {
      opened = true;
      listener.opened();
    });
    socket.on('message', (data: Buffer, binary) => listener.received(binary ? data : data.toString(), binary));
    socket.on('error', (cause) => (error = cause));
    socket.on('unexpected-response', (request, response) => {
      request.destroy();
      const retryAfter = response.headers['retry-after'];
      abandoned = true;
      refused(response.statusCode ?? 0, retryAfter, listener);
    });
    socket.on('close', (code, reason) => {
      if (abandoned) return;
      if (error?.message === 'Server sent no subprotocol') listener.refusedSubprotocol();
      // Once it was open the standard knows no reason but the peer's.
      else listener.lost(code, opened ? reason.toString() : (error?.message ?? ''));
    });

    return {
      get protocol() {
        return socket.protocol;
      },
      get extensions() {
        return socket.extensions;
      },
      get bufferedAmount() {
        return socket.bufferedAmount;
      },
      send(data) {
        together.begin();
        socket.send(data);
      },
      close: (code, reason) => (code === 1005 ? socket.close() : socket.close(code, reason)),
      abandon(code, reason) {
        abandoned = true;
        socket.removeAllListeners('open').removeAllListeners('message');
        if (UNANSWERED.has(code)) socket.terminate();
        else socket.close(code, reason);
      },
    };
  };

/** Sends what is written in one turn with one call of the system: `ws` makes one for each message, which is most of its cost. */
class Together {
  wire: Socket | undefined;
  #begun = false;

  begin(): void {
    if (this.#begun || !this.wire) return;
    this.#begun = true;
    this.wire.cork();
    process.nextTick(() => {
      this.#begun = false;
      this.wire?.uncork();
    });
  }
}

/** The server answered the handshake with an HTTP status of its own. */
function refused(status: number, retryAfter: string | undefined, listener: TransportListener): void {
  const retryMs = retryAfter === undefined ? undefined : retryAfterMs(retryAfter, Date.now());
  if (status === 401 || status === 403) listener.lost(CLOSE.unauthorized, closeReason(errors.UNAUTHORIZED));
  else if (status === 429 || status === 503) listener.lost(CLOSE.later, closeReason(errors.BUSY), retryMs);
  else listener.lost(1006, `HTTP ${status}`);
}

/** Reads `Retry-After`: seconds, or a date (RFC 9110, section 10.2.3). At most one day. */
export function retryAfterMs(value: string, nowMs: number): number | undefined {
  const waitMs = /^\d+$/.test(value) ? Number(value) * 1_000 : Date.parse(value) - nowMs;
  return Number.isNaN(waitMs) ? undefined : Math.min(Math.max(waitMs, 0), 86_400_000);
}
