import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { decode, encode, type Answer } from 'dns-packet';

/** A small DNS server on loopback that answers what a test has told it: real packets over UDP, asked by the resolver of Node. */
export class NameServer {
  /** By `TYPE name`; a name that is not in it does not exist. */
  readonly records = new Map<string, Answer[]>();
  /** `SERVFAIL`, or no answer at all. */
  mood: 'well' | 'failing' | 'silent' = 'well';
  readonly asked: string[] = [];
  readonly #socket = createSocket('udp4');

  static async start(): Promise<NameServer> {
    const server = new NameServer();
    server.#socket.on('message', (message, { port, address }) => {
      const answer = server.#answer(message);
      if (answer !== undefined) server.#socket.send(answer, port, address);
    });
    server.#socket.bind(0, '127.0.0.1');
    await once(server.#socket, 'listening');
    return server;
  }

  get address(): string {
    return `127.0.0.1:${this.#socket.address().port}`;
  }

  a(name: string, ...addresses: string[]): void {
    this.records.set(
      `A ${name}`,
      addresses.map((data) => ({ type: 'A', name, data, ttl: 5 })),
    );
  }

  close(): void {
    this.#socket.close();
  }

  #answer(message: Buffer): Buffer | undefined {
    const { id, questions = [] } = decode(message);
    const [question] = questions;
    if (question === undefined || this.mood === 'silent') return undefined;
    this.asked.push(`${question.type} ${question.name}`);
    const answers = this.records.get(`${question.type} ${question.name}`);
    const exists = [...this.records.keys()].some((key) => key.endsWith(` ${question.name}`));
    const code = this.mood === 'failing' ? SERVFAIL : exists ? 0 : NXDOMAIN;
    return encode({ type: 'response', id, flags: RECURSION | code, questions, answers: code === 0 ? answers : [] });
  }
}

/** RD and RA; the code of the answer is in the lowest four bits. */
const RECURSION = 0x0180;
const SERVFAIL = 2;
const NXDOMAIN = 3;
