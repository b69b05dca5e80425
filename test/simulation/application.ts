import { HoldfastError } from '@holdfast/protocol';
import type { SessionState } from '@holdfast/store';
import type { PodContext, PodSession } from '../../packages/server/src/pod-session.js';
import { SessionSocket } from '../../packages/server/src/session-socket.js';
import type { Tx } from '../../packages/server/src/transaction.js';
import type { Handshake } from '../../packages/server/src/stored-handshake.js';
import { textOf, topicOf } from './log-audit.js';

/** Between two messages that the application sends by itself, at least and at most twice as long. */
const TIMER_MS = 1_500;
/** The longest that the asynchronous handler takes. */
const HANDLER_MS = 400;

/** What a handler of the application throws when it is asked to; any other error is the server's. */
export const ASKED = 'asked to throw';

/** Names what a client is to the application: it stands in the URL, which the session keeps. */
export const urlOf = (client: string, isAsync: boolean): string => `/?client=${client}&async=${isAsync ? 1 : 0}`;

export interface ApplicationOptions {
  readonly context: PodContext;
  readonly pod: string;
  readonly random: () => number;
}

/** The program on the server: does what the messages of clients ask for, and now and then something by itself. */
export class Application {
  readonly #options: ApplicationOptions;
  /** Its sockets by the first part of the client's name, which a client keeps when it begins anew. */
  readonly sockets = new Map<string, SessionSocket>();
  /** It says nothing by itself any more. */
  isQuiet = false;
  #sent = 0;

  constructor(options: ApplicationOptions) {
    this.#options = options;
    this.#timer();
  }

  opened(session: PodSession, state: SessionState, handshake: Handshake, isRecovered: boolean): void {
    const { context } = this.#options;
    const socket = new SessionSocket(session, state, context, {
      protocol: handshake.protocol,
      recovered: isRecovered,
      report: () => undefined,
    });
    const query = new URLSearchParams((handshake.request.url ?? '').slice(2));
    const name = query.get('client') ?? '';
    const place = name.slice(0, name.indexOf('.'));
    this.sockets.set(place, socket);
    socket.on('close', () => {
      if (this.sockets.get(place) === socket) this.sockets.delete(place);
    });
    if (query.get('async') === '1') {
      socket.handle(async ({ data }, tx) => {
        await context.clock.wait(this.#options.random() * HANDLER_MS);
        this.#handleAsync(data.toString('latin1'), tx);
      });
    } else {
      socket.on('message', (data: Buffer) => this.#handle(socket, data.toString('latin1')));
    }
  }

  #handle(socket: SessionSocket, text: string): void {
    const [client, n, command] = text.split(':') as [string, string, string];
    if (command === 'x') throw new Error(ASKED);
    const effect = textOf(client, Number(n));
    const { data } = socket.session;
    data['count'] = ((data['count'] as number | undefined) ?? 0) + 1;
    if (command === 'e') socket.send(effect);
    else if (command.startsWith('p')) this.#publish(topicOf(command), effect);
    else if (command.startsWith('s')) socket.subscribe(topicOf(command));
    else if (command.startsWith('u')) socket.unsubscribe(topicOf(command));
    else this.sockets.get(command.slice(1))?.send(effect);
  }

  #handleAsync(text: string, tx: Tx): void {
    const [client, n, command] = text.split(':') as [string, string, string];
    if (command === 'x') throw new Error(ASKED);
    const effect = textOf(client, Number(n));
    if (command === 'e') tx.send(effect);
    else if (command.startsWith('p')) tx.publish(topicOf(command), effect);
    else if (command.startsWith('s')) tx.subscribe(topicOf(command));
    else if (command.startsWith('u')) tx.unsubscribe(topicOf(command));
  }

  #publish(topic: string, text: string): void {
    this.#options.context.committer.effect({ type: 'publish', topic, data: Buffer.from(text), binary: false });
  }

  /** Sends to all that are here, and publishes. */
  #timer(): void {
    const { context, pod, random } = this.#options;
    context.clock.setTimeout(
      () => {
        if (this.isQuiet) return;
        for (const socket of this.sockets.values()) {
          if (random() < 0.3) socket.send(textOf(pod, ++this.#sent));
        }
        if (random() < 0.3) this.#publish(topicOf(`p${Math.floor(random() * 3)}`), textOf(pod, ++this.#sent));
        this.#timer();
      },
      TIMER_MS * (1 + random()),
    );
  }
}

/** Whether an error of the application is one that it was asked for. */
export const isAsked = (error: Error): boolean => error instanceof HoldfastError && String(error.cause).includes(ASKED);
