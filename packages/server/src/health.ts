import type { IncomingMessage, ServerResponse } from 'node:http';

/** How a pod stands, as its health endpoints tell it. */
export interface HealthReport {
  /** Whether new clients should be sent here. */
  readonly ready: boolean;
  readonly pod: string;
  readonly draining: boolean;
  readonly storeTroubled: boolean;
  readonly sessions: number;
  readonly attached: number;
  readonly plain: number;
  readonly handshakes: number;
}

/**
 * Answers `/healthz` (the process lives: 200) and `/readyz` (send clients here: 200, else 503). Liveness depends on nothing but
 * the process: a pod that is restarted because its store is slow makes things worse. True if the request was one of the two.
 */
export function answerHealth(request: IncomingMessage, response: ServerResponse, report: () => HealthReport): boolean {
  const path = (request.url ?? '').split('?')[0];
  if ((path !== '/healthz' && path !== '/readyz') || (request.method !== 'GET' && request.method !== 'HEAD'))
    return false;
  const body = report();
  const status = path === '/healthz' || body.ready ? 200 : 503;
  const json = JSON.stringify(body);
  response.writeHead(status, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(json),
    'Cache-Control': 'no-store',
  });
  response.end(request.method === 'HEAD' ? undefined : json);
  return true;
}
