import { dataToJson, observed } from './data.js';

/** What an application may know and keep of a session, as `socket.session`. */
export interface Session {
  /** The public id: it may stand in logs and URLs. */
  readonly id: string;
  /** Plain values of the application, kept with the session wherever it goes. Changes are written with the turn that makes them. */
  data: Record<string, unknown>;
  /**
   * Whose session it is, as the application says: what is sent to that user reaches all of the user's sessions. Kept with the session.
   * It takes one of the topics that a session may follow. Setting it throws HF_USER or HF_TOPICS.
   */
  user: string | undefined;
  /** Whether the session began earlier, on another pod or in an earlier life of this one. */
  readonly recovered: boolean;
  /** How often a pod or a transport has taken the session on. */
  readonly attachments: number;
  /** Whether it has a transport now. */
  readonly attached: boolean;
  /** False for a client without holdfast.v1: its session ends with its connection. */
  readonly resumable: boolean;
}

const read = (json: string | undefined): Record<string, unknown> =>
  json === undefined ? {} : (JSON.parse(json) as Record<string, unknown>);

export interface SessionDataOptions {
  readonly save: (json: string) => void;
  /** An asynchronous handler runs: what it changes is taken and written with its other effects. */
  readonly isHandling: () => boolean;
  /** It could not be written when nobody was there to be told. */
  readonly failed: (error: unknown) => void;
}

/** The `data` of a session: notices changes and hands them on as JSON, once a turn. */
export class SessionData {
  #value: Record<string, unknown>;
  /** What was handed on last to be written, to go back to. */
  #kept: string | undefined;
  #observed: Record<string, unknown>;
  #taken: string | undefined;
  #dirty = false;
  #scheduled = false;
  readonly #save: (json: string) => void;
  readonly #isHandling: () => boolean;
  readonly #failed: (error: unknown) => void;

  constructor(json: string | undefined, { save, isHandling, failed }: SessionDataOptions) {
    this.#save = save;
    this.#isHandling = isHandling;
    this.#failed = failed;
    this.#kept = json;
    this.#value = read(json);
    this.#observed = this.#observe();
  }

  get value(): Record<string, unknown> {
    return this.#observed;
  }

  set value(value: Record<string, unknown>) {
    dataToJson(value);
    this.#value = value;
    this.#observed = this.#observe();
    this.#changed();
  }

  /** Writes what has changed. Throws HF_DATA if it cannot be kept. */
  flush(): void {
    if (!this.#dirty) return;
    const json = this.#json();
    this.#save(json);
    this.#kept = json;
    this.#dirty = false;
  }

  /** What has changed, for the caller to write. Throws HF_DATA if it cannot be kept. */
  take(): string | undefined {
    if (!this.#dirty) return undefined;
    const json = this.#json();
    this.#taken = json;
    this.#dirty = false;
    return json;
  }

  /** What was taken is being written. */
  keep(): void {
    this.#kept = this.#taken ?? this.#kept;
    this.#taken = undefined;
  }

  /** What has changed, taken or not, is not to be written: back to what is. */
  restore(): void {
    if (!this.#dirty && this.#taken === undefined) return;
    this.#dirty = false;
    this.#taken = undefined;
    this.#value = read(this.#kept);
    this.#observed = this.#observe();
  }

  /** What cannot be kept is taken back: left as it is, it would fail the next message, which has nothing to do with it. */
  #json(): string {
    try {
      return dataToJson(this.#value);
    } catch (error) {
      this.restore();
      throw error;
    }
  }

  #observe(): Record<string, unknown> {
    return observed(this.#value, () => this.#changed());
  }

  #changed(): void {
    this.#dirty = true;
    if (this.#scheduled) return;
    this.#scheduled = true;
    // Behind the statement that made the change, within the same turn.
    queueMicrotask(() => {
      this.#scheduled = false;
      try {
        if (!this.#isHandling()) this.flush();
      } catch (error) {
        this.#failed(error);
      }
    });
  }
}
