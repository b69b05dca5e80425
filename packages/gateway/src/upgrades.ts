import type { IncomingMessage } from 'node:http';
import type { Route } from '@holdfast/policy';
import { errors } from '@holdfast/protocol';
import type { Place } from './admission.js';
import type { Context, Settings } from './context.js';
import { errorAnswer, writeError } from './error-answer.js';
import type { Carriage, Exchange } from './exchange.js';
import { podHeaders } from './forwarding.js';
import type { Pick, Pod } from './pool/index.js';
import { ignore } from './ignore.js';
import { refusal, type Refusal } from './refusal.js';
import { problemOf, receive, type Visit } from './visit.js';
import { readHandshake, type Handshake } from './websocket/handshake.js';
import type { Wire } from './websocket/wire.js';

/** One WebSocket under way. */
export interface Underway {
  /** That of the request. */
  readonly id: string;
  readonly carriage: Carriage;
  /** Whether this pod was chosen for it last. */
  readonly isAt: (pod: Pod) => boolean;
}

/** A valid request for an upgrade that has found its route. */
interface Arrival {
  readonly request: IncomingMessage;
  readonly visit: Visit;
  readonly wire: Wire;
  readonly head: Buffer;
  readonly handshake: Handshake;
  readonly route: Route;
  readonly place: Place;
  /** As they were when it came: a reload changes nothing for it. */
  readonly settings: Settings;
}

/** Node's own would keep all that was read with the request. */
const NOTHING = Buffer.alloc(0);

/** From a request for an upgrade to an exchange under way. Knows all that are. */
export class Upgrades {
  readonly #context: Context;
  readonly #underway = new Set<Underway>();

  constructor(context: Context) {
    this.#context = context;
  }

  /** WebSockets that are being opened, open or being closed. */
  get count(): number {
    return this.#underway.size;
  }

  /** All of them, oldest first. */
  get underway(): Iterable<Underway> {
    return this.#underway;
  }

  handle(request: IncomingMessage, wire: Wire, head: Buffer): void {
    const { socket } = wire;
    const { clock, settings, admission } = this.#context;
    socket.on('error', ignore);
    const visit = receive(request, settings.proxies, clock.now());
    const turnAway = (why: Refusal): void => {
      this.#refuse(visit, wire, settings, why);
      socket.once('close', () => this.#context.finished(visit, undefined));
    };
    const handshake = problemOf(request, visit) ?? readHandshake(request);
    if ('status' in handshake) return turnAway(handshake);
    const route = settings.router.find(visit.host, visit.path, 'websocket');
    if (route === undefined) return turnAway(refusal(404, errors.ROUTE));
    const place = admission.enter(visit.clientAddress, route);
    if ('status' in place) return turnAway(place);
    const arrival: Arrival = {
      request,
      visit,
      wire,
      head: head.length > 0 ? head : NOTHING,
      handshake,
      route,
      place: this.#countedPlace(place, visit, route),
      settings,
    };
    // A client that has gone while it waited is not worth a pod's attention, nor the turn of another.
    const gone = (): void => {
      admission.forget(go);
      arrival.place.leave();
    };
    // It closes its half, as all do that are not cut off; the other half stays open until somebody closes it.
    const ended = (): void => void socket.destroy();
    const go = (): void => {
      socket.off('close', gone);
      socket.off('end', ended);
      this.#carry(arrival);
    };
    socket.once('close', gone);
    socket.once('end', ended);
    const busy = admission.turn(go);
    if (busy) this.#refuse(visit, wire, settings, busy);
  }

  /** Made apart: what is under way for long must not hold what was needed for its beginning. */
  #countedPlace(place: Place, visit: Visit, route: Route): Place {
    return {
      leave: () => {
        place.leave();
        this.#context.finished(visit, route);
      },
    };
  }

  #carry(arrival: Arrival): void {
    const { request, visit, wire, head, route, handshake, place, settings } = arrival;
    const { clock } = this.#context;
    const pool = this.#context.poolOf(route);
    const { affinity, cookieFor } = this.#context
      .stickyOf(route)
      .ask({ url: visit.target, headers: request.headers, clientAddress: visit.clientAddress }, pool.pods);
    const { socket, receive } = wire;
    let ageTimer: unknown;
    let lastPod: Pod | undefined;
    const exchange: Exchange = {
      id: visit.id,
      socket,
      receive,
      head,
      handshake,
      route,
      clientAddress: visit.clientAddress,
      target: visit.target,
      headers: podHeaders(request, visit),
      pool,
      clock,
      limits: settings.limits,
      account: visit.account,
      pick: (exclude) => {
        const pick = pool.choose(affinity, { exclude });
        lastPod = pick?.pod;
        return pick;
      },
      answerHeaders: (pick: Pick) => {
        const cookie = cookieFor?.(pick.pod);
        return [...(cookie === undefined ? [] : ['Set-Cookie', cookie]), 'X-Request-Id', visit.id];
      },
      refuse: (why) => this.#refuse(visit, wire, settings, why),
      over: () => {
        clock.clearTimeout(ageTimer);
        this.#underway.delete(underway);
        place.leave();
      },
    };
    const carriage = this.#context.carrierOf(route, handshake.protocols).carry(exchange);
    const underway: Underway = { id: visit.id, carriage, isAt: (pod) => pod === lastPod };
    this.#underway.add(underway);
    const ageMs = this.#ageOf(route);
    if (ageMs !== undefined) ageTimer = clock.setTimeout(() => carriage.leave('age'), ageMs);
  }

  /** The longest age of one connection: some are told earlier, so that those that came together do not leave together. */
  #ageOf({ maxAgeMs }: Route): number | undefined {
    const { drain } = this.#context.settings.environment;
    const ageMs = maxAgeMs ?? drain.maxAgeMs;
    return ageMs === undefined ? undefined : ageMs * (1 - drain.ageJitter * this.#context.random());
  }

  /** Answers, reads on until the client has closed, and does not wait for it for ever. */
  #refuse(visit: Visit, { socket, receive }: Wire, settings: Settings, why: Refusal): void {
    const { clock } = this.#context;
    const { account } = visit;
    account.status ??= why.status;
    account.endedBy('gateway', why.error.code);
    account.toClient.bytes += writeError(socket, errorAnswer(why, visit.id, settings.environment.gateway.errorBodies));
    const timer = clock.setTimeout(() => socket.destroy(), settings.limits.closeMs);
    socket.once('close', () => clock.clearTimeout(timer));
    receive(ignore);
    socket.resume();
  }

  /** Ends a connection at once, by the id of its request. False if there is none. */
  cut(id: string): boolean {
    const found = Array.from(this.#underway).filter((one) => one.id === id);
    for (const { carriage } of found) carriage.destroy();
    return found.length > 0;
  }

  destroy(): void {
    for (const { carriage } of this.#underway) carriage.destroy();
  }
}
