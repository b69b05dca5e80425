/** The `CloseEvent` of the HTML standard, for Node before 23, which has none. */
export class CloseEvent extends Event {
  readonly wasClean: boolean;
  readonly code: number;
  readonly reason: string;

  constructor(type: string, { wasClean = false, code = 0, reason = '', ...init }: CloseEventInit = {}) {
    super(type, init);
    this.wasClean = wasClean;
    this.code = code;
    this.reason = reason;
  }
}
