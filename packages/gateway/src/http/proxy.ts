import { Agent, type IncomingMessage, type ServerResponse } from 'node:http';
import { errors } from '@holdfast/protocol';
import type { Context } from '../context.js';
import { errorAnswer, sendError } from '../error-answer.js';
import { podHeaders } from '../forwarding.js';
import { refusal, type Refusal } from '../refusal.js';
import { problemOf, receive, type Visit } from '../visit.js';
import { Errand } from './errand.js';

/** Idle connections to one pod. */
const FREE_SOCKETS = 64;
/** Below the 5 s after which Node's servers close an idle connection: a request that meets the close may not be sent again. */
const FREE_MS = 4_000;

/** Carries HTTP/1.1 requests to pods. */
export class HttpProxy {
  readonly #context: Context;
  readonly #agent = new Agent({
    keepAlive: true,
    maxFreeSockets: FREE_SOCKETS,
    scheduling: 'lifo',
    timeout: FREE_MS,
    noDelay: true,
  });
  readonly #errands = new Map<ServerResponse, Errand>();

  constructor(context: Context) {
    this.#context = context;
  }

  /** Requests under way. */
  get count(): number {
    return this.#errands.size;
  }

  /** `expects`: the client waits for a `100 Continue` before it sends the body. */
  handle(request: IncomingMessage, response: ServerResponse, expects = false): void {
    const { clock, settings } = this.#context;
    const visit = receive(request, settings.proxies, clock.now());
    if (this.#context.isDraining) response.setHeader('Connection', 'close');
    const refuse = (why: Refusal): void => this.#refuse(request, visit, response, why);
    const problem = problemOf(request, visit) ?? this.#sizeProblem(request);
    const route = problem ?? settings.router.find(visit.host, visit.path, 'rest') ?? refusal(404, errors.ROUTE);
    if ('status' in route) {
      this.#watchRefused(request, visit, response);
      return refuse(route);
    }
    const place = this.#context.admission.enter(visit.clientAddress, route);
    if ('status' in place) {
      this.#watchRefused(request, visit, response);
      return refuse(place);
    }
    const pool = this.#context.poolOf(route);
    const { affinity, cookieFor } = this.#context
      .stickyOf(route)
      .ask({ url: visit.target, headers: request.headers, clientAddress: visit.clientAddress }, pool.pods);
    const errand = new Errand({
      request,
      visit,
      response,
      route,
      expects,
      agent: this.#agent,
      clock,
      limits: settings.limits,
      headers: podHeaders(request, visit),
      pick: (exclude) => pool.choose(affinity, { exclude }),
      answerHeaders: (pod) => {
        const cookie = cookieFor?.(pod);
        return [...(cookie === undefined ? [] : ['Set-Cookie', cookie]), 'X-Request-Id', visit.id];
      },
      refuse,
      over: () => {
        this.#errands.delete(response);
        place.leave();
        this.#context.finished(visit, route);
      },
    });
    this.#errands.set(response, errand);
    errand.begin();
  }

  /** The parser has given up on the body of a request that is not answered yet. */
  reject(response: ServerResponse, why: Refusal): void {
    this.#errands.get(response)?.reject(why);
  }

  #sizeProblem({ headers }: IncomingMessage): Refusal | undefined {
    const length = Number(headers['content-length'] ?? 0);
    return length > this.#context.settings.limits.bodyBytes ? refusal(413, errors.REQUEST_LARGE) : undefined;
  }

  #refuse(request: IncomingMessage, visit: Visit, response: ServerResponse, why: Refusal): void {
    const { account, id } = visit;
    account.endedBy('gateway', why.error.code);
    account.status ??= why.status;
    // What is left of a body would be read as the next request.
    if (!request.complete && !response.headersSent) response.setHeader('Connection', 'close');
    const answer = errorAnswer(why, id, this.#context.settings.environment.gateway.errorBodies);
    account.toClient.bytes += sendError(response, answer);
  }

  #watchRefused(request: IncomingMessage, visit: Visit, response: ServerResponse): void {
    response.once('close', () => this.#context.finished(visit, undefined));
    // Read and thrown away, until the connection closes.
    request.resume();
  }

  /** Ends every request under way. */
  destroy(): void {
    for (const errand of this.#errands.values()) errand.destroy();
    this.#agent.destroy();
  }

  /** Ends the idle connections to pods. */
  close(): void {
    this.#agent.destroy();
  }
}
