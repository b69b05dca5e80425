/** Who ended a connection, or refused it. */
export type Side = 'client' | 'pod' | 'gateway';

export interface Traffic {
  bytes: number;
  messages: number;
}

/** What `hold` knows of what may have been lost. */
export interface Held {
  /** Pods that the client was led to. */
  readonly attempts: number;
  /** Messages that a pod had when it was lost, and after which it had said nothing. */
  readonly unanswered: number;
  /** Messages written to a pod that was killed, of which nobody knows whether they arrived. */
  readonly unknown: number;
  /** Messages that the next pod was given again, because the one before cannot have read them. */
  readonly resent: number;
  /** Messages that waited when the client was closed. */
  readonly undelivered?: number;
}

/** What one request or WebSocket came to, kept while it lasts: the access log and the metrics take it from here. */
export class Account {
  readonly toPod: Traffic = { bytes: 0, messages: 0 };
  readonly toClient: Traffic = { bytes: 0, messages: 0 };
  /** Ids of the pods that served it or were tried, in order; the last one counts. At most {@link PODS_MAX}. */
  readonly pods: string[] = [];
  /** What a client that was held went through, once a pod of it was lost. */
  held: Held | undefined;
  /** HTTP status; 101 for a WebSocket. */
  status: number | undefined;
  /** Close code that the client got or gave; 1006 for none. */
  closeCode: number | undefined;
  closedBy: Side | undefined;
  /** Why it ended: a code of the registry of errors, or a word such as `done`. */
  cause: string | undefined;

  tried(podId: string): void {
    if (this.pods.length === PODS_MAX) this.pods.shift();
    this.pods.push(podId);
  }

  /** The first who ends it is the one who did. */
  endedBy(side: Side, cause: string, closeCode?: number): void {
    if (this.closedBy !== undefined) return;
    this.closedBy = side;
    this.cause = cause;
    this.closeCode = closeCode;
  }
}

/** A held client may see many pods. */
const PODS_MAX = 8;
