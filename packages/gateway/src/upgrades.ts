import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Route } from '@holdfast/policy';
import { errors } from '@holdfast/protocol';
import { affinityOf } from './affinity.js';
import type { Context } from './context.js';
import { errorAnswer, writeError } from './error-answer.js';
import type { Carriage, Exchange, Leave } from './exchange.js';
import { podHeaders } from './forwarding.js';
import { refusal, type Refusal } from './refusal.js';
import { problemOf, receive, type Visit } from './visit.js';
import { readHandshake, type Handshake } from './websocket/handshake.js';

/** From a request for an upgrade to an exchange under way. Knows all that are. */
export class Upgrades {
  readonly #context: Context;
  readonly #carriages = new Set<Carriage>();

  constructor(context: Context) {
    this.#context = context;
  }

  /** WebSockets that are being opened, open or being closed. */
  get count(): number {
    return this.#carriages.size;
  }

  get carriages(): Iterable<Carriage> {
    return this.#carriages;
  }

  handle(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { clock, settings } = this.#context;
    socket.on('error', () => undefined);
    const visit = receive(request, settings.proxies, clock.now());
    const handshake = problemOf(visit) ?? readHandshake(request);
    if ('status' in handshake) return this.#refuse(visit, socket, handshake);
    const route = settings.router.find(visit.host, visit.path, 'websocket');
    if (route === undefined) return this.#refuse(visit, socket, refusal(404, errors.ROUTE));
    this.#carry(visit, socket, head, handshake, route);
  }

  #carry(visit: Visit, socket: Duplex, head: Buffer, handshake: Handshake, route: Route): void {
    const { clock, settings } = this.#context;
    const pool = this.#context.poolOf(route);
    const affinity = affinityOf(visit, route);
    const exchange: Exchange = {
      id: visit.id,
      request: visit.request,
      socket,
      head,
      handshake,
      route,
      clientAddress: visit.clientAddress,
      target: visit.target,
      headers: podHeaders(visit),
      pool,
      clock,
      limits: settings.limits,
      account: visit.account,
      pick: (exclude) => pool.choose(affinity, { exclude }),
      answerHeaders: () => ['X-Request-Id', visit.id],
      refuse: (why) => this.#refuse(visit, socket, why),
      over: () => void this.#carriages.delete(carriage),
    };
    const carriage = this.#context.carrierOf(route, handshake.protocols).carry(exchange);
    this.#carriages.add(carriage);
  }

  /** Answers, reads on until the client has closed, and does not wait for it for ever. */
  #refuse(visit: Visit, socket: Duplex, why: Refusal): void {
    const { clock, settings } = this.#context;
    visit.account.status = why.status;
    visit.account.endedBy('gateway', why.error.code);
    writeError(socket, errorAnswer(why, visit.id, settings.environment.gateway.errorBodies));
    const timer = clock.setTimeout(() => socket.destroy(), settings.limits.closeMs);
    socket.once('close', () => clock.clearTimeout(timer));
    socket.resume();
  }

  leave(why: Leave): void {
    for (const carriage of this.#carriages) carriage.leave(why);
  }
}
