import {
  CircuitBreaker,
  ClientSession,
  CLOSE,
  type ClientOutput,
  type Hint,
  type TransportId,
  type Window,
} from '@holdfast/protocol';
import type { ModelLink, Timeline } from '@holdfast/protocol/testing';
import type { Random } from '@holdfast/testing';
import type { ClientAudit } from './client-audit.js';
import { Host } from './host.js';
import type { LogAudit } from './log-audit.js';
import type { Verdict } from './verdict.js';

/** What a client keeps at most for its server: few enough that the bound is met. */
const MAX_BUFFERED_BYTES = 4_096;

export interface SimClientOptions {
  readonly timeline: Timeline;
  readonly random: Random;
  readonly window: Window;
  readonly audit: ClientAudit;
  readonly log: LogAudit;
  readonly verdict: Verdict;
  readonly sessionMs: number;
  /** Opens a connection, and tells the client of it. */
  readonly dial: (client: SimClient, transport: TransportId) => void;
  readonly closed: () => void;
  readonly trace: ((line: string) => void) | undefined;
}

/** One process with the real client's machine in it, and an application that tells the audit what it hears. */
export class SimClient {
  readonly host: Host;
  readonly machine: ClientSession;
  readonly links = new Map<TransportId, ModelLink>();
  readonly #options: SimClientOptions;
  /** When the machine's timer is set for. */
  #timerMs = Infinity;
  #stopTimer: () => void = () => {};
  #heardMs = 0;
  #hasClosed = false;
  #serverMayClose = false;

  constructor(options: SimClientOptions) {
    this.#options = options;
    this.host = new Host(options.timeline);
    this.machine = new ClientSession({
      window: options.window,
      limits: {
        connectMs: 3_000,
        progressiveMs: [3_000, 2_000, 1_000],
        handshakeMs: 4_000,
        pingMs: 2_000,
        closeMs: 20_000,
      },
      maxAttempts: Infinity,
      maxBufferedBytes: MAX_BUFFERED_BYTES,
      fallback: false,
      breaker: new CircuitBreaker({ failures: Infinity, openMs: 1_000 }),
      random: options.random,
    });
  }

  get audit(): ClientAudit {
    return this.#options.audit;
  }

  /** Whether all that was said has arrived on both sides. */
  get unrest(): string | undefined {
    const { state, statistics } = this.machine;
    if (state === 'closed') return undefined;
    if (state !== 'open') return `is ${state}`;
    if (statistics.waitingMessages > 0) return `${statistics.waitingMessages} messages wait`;
    const { lacks } = this.audit;
    return lacks === undefined ? undefined : `lacks ${lacks}`;
  }

  act(action: (machine: ClientSession, nowMs: number) => void): void {
    this.host.run(() => {
      if (this.machine.state === 'closed') return;
      action(this.machine, this.#nowMs);
      this.#flush();
    });
  }

  connect(): void {
    this.act((machine, nowMs) => machine.connect(nowMs));
  }

  say(command: string): void {
    this.act((machine, nowMs) => {
      if (machine.state === 'closing') return;
      const n = this.audit.sent + 1;
      const data = `${this.audit.name}:${n}:${command}`;
      if (machine.send({ data, binary: false }, nowMs) === undefined) this.audit.said(command);
      const { waitingBytes } = machine.statistics;
      if (waitingBytes > MAX_BUFFERED_BYTES) this.#options.verdict.blame('memory', `${waitingBytes} bytes wait`);
    });
  }

  hint(hint: Hint): void {
    this.act((machine, nowMs) => machine.handleHint(hint, nowMs));
  }

  close(): void {
    this.#hasClosed = true;
    this.act((machine, nowMs) => machine.close(1000, 'done', nowMs));
  }

  /** The application on the server has been told to close the session. */
  expectClose(): void {
    this.#serverMayClose = true;
  }

  opened(transport: TransportId): void {
    if (this.links.has(transport)) this.act((machine, nowMs) => machine.handleOpen(transport, true, nowMs));
  }

  heard(transport: TransportId, data: string | Uint8Array, binary: boolean): void {
    if (!this.links.has(transport)) return;
    // A gateway says that one itself: it tells nothing of the session.
    if (!textOf(data).startsWith('again ')) this.#heardMs = this.#nowMs;
    this.act((machine, nowMs) => machine.handleData(transport, data, binary, nowMs));
  }

  lost(transport: TransportId, code: number, reason: string): void {
    if (!this.links.delete(transport)) return;
    this.act((machine, nowMs) => machine.handleLost(transport, code, reason, nowMs));
  }

  get #nowMs(): number {
    return this.#options.timeline.nowMs;
  }

  #flush(): void {
    const { machine } = this;
    for (let output = machine.poll(); output; output = machine.poll()) this.#do(output);
    const { dueMs } = machine;
    if (dueMs >= this.#timerMs) return;
    this.#stopTimer();
    this.#timerMs = dueMs;
    this.#stopTimer = this.host.after(Math.max(0, dueMs - this.#nowMs), () => this.#timer());
  }

  #timer(): void {
    this.#timerMs = Infinity;
    if (this.machine.dueMs <= this.#nowMs) this.machine.handleTimeout(this.#nowMs);
    this.#flush();
  }

  #do(output: ClientOutput): void {
    const { audit, verdict, dial, trace } = this.#options;
    if (trace && output.type !== 'transmit') trace(`${audit.name} ${JSON.stringify(output)}`);
    switch (output.type) {
      case 'dial':
        return dial(this, output.transport);
      case 'transmit':
        return this.links.get(output.transport)?.send('client', output.data, output.binary);
      case 'hangup':
        this.links.get(output.transport)?.close('client', output.code, output.reason);
        this.links.delete(output.transport);
        return;
      case 'open':
        return this.#options.log.began(this.machine.id as string, audit);
      case 'message':
        return audit.heard(output.topic, textOf(output.data));
      case 'gap':
        return audit.gap(output.topic, output.from, output.to);
      case 'error':
        return verdict.blame('accused by a client', `${audit.name}: ${output.error.code} ${output.detail}`);
      case 'close':
        this.#judgeClose(output);
        return this.#options.closed();
      default:
        return;
    }
  }

  #judgeClose({ code, reason, wasClean }: Extract<ClientOutput, { type: 'close' }>): void {
    const { audit, log, verdict, sessionMs } = this.#options;
    const what = `${audit.name}: ${code} ${reason}`;
    const session = this.machine.id === undefined ? undefined : log.session(this.machine.id);
    if (this.#hasClosed) {
      const watermark = session?.watermark ?? 0;
      if (wasClean && code === 1000 && watermark < audit.sent) {
        verdict.blame('clean close', `${what}: ${watermark} of ${audit.sent} are handled`);
      }
      return;
    }
    if (code === APPLICATION_CLOSE && this.#serverMayClose) {
      const { lacksOwn } = audit;
      if (lacksOwn !== undefined) verdict.blame('clean close', `${what}: lacks ${lacksOwn}`);
      return;
    }
    // What we heard last may have been on its way for long, and clocks differ.
    const isOver = this.#nowMs - this.#heardMs > sessionMs - EARLY_MS;
    const isTold = this.#serverMayClose && session?.isClosing;
    // One that was fenced, and then finds that the session is no more, cannot tell expiry from a theft.
    const isGone = code === CLOSE.expired || code === CLOSE.fenced;
    if (!isGone || (!isOver && !isTold)) verdict.blame('closed', what);
  }
}

export const APPLICATION_CLOSE = 4_000;
const EARLY_MS = 25_000;

const textOf = (data: string | Uint8Array): string =>
  typeof data === 'string' ? data : Buffer.from(data.buffer, data.byteOffset, data.length).toString('latin1');
