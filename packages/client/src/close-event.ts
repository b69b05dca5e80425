import type { SocketCloseEvent } from './events.js';

/** What a `CloseEvent` is made from. */
export interface CloseEventOptions {
  readonly wasClean?: boolean;
  readonly code?: number;
  readonly reason?: string;
}

/** The `CloseEvent` of the HTML standard, for Node before 23, which has none. */
export class CloseEvent extends Event implements SocketCloseEvent {
  readonly wasClean: boolean;
  readonly code: number;
  readonly reason: string;

  constructor(type: string, { wasClean = false, code = 0, reason = '' }: CloseEventOptions = {}) {
    super(type);
    this.wasClean = wasClean;
    this.code = code;
    this.reason = reason;
  }
}
