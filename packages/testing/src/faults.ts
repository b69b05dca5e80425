/** The way bytes go: `up` from the client to the target, `down` from the target to the client. */
export type Direction = 'up' | 'down';

/**
 * - `cut`: both sockets are destroyed, as when a proxy is killed: the ends see the stream finish without a goodbye.
 * - `reset`: both ends get a TCP reset (RST).
 * - `fin`: what was read so far is still forwarded, then the stream is finished in order (FIN); what comes later is discarded.
 * - `blackHole`: bytes, and the news that an end has closed, are swallowed; the sockets stay open. It is final, because a byte stream
 *   with a hole cannot be mended. In one direction only, this is a half-open connection.
 * - `freeze`: nothing is read any more, so that senders feel back-pressure; `thaw` goes on with nothing lost.
 */
export type FaultKind = 'cut' | 'reset' | 'fin' | 'blackHole' | 'freeze';

/** A fault to inject into a link. */
export interface Fault {
  kind: FaultKind;
  /** What it stops: one direction or, by default, both. A cut or reset always ends both. */
  direction?: Direction;
  /**
   * Injects it after exactly so many bytes more were forwarded in a direction, none beyond: for a fault of a link's plan,
   * counted from the first byte. Default: at once.
   */
  after?: { direction: Direction; bytes: number };
}

/** How one direction of a link carries its bytes. What is left out is not limited. */
export interface Shape {
  /** Bytes per second, forwarded in about 100 portions a second. Default unlimited. */
  bytesPerSecond?: number;
  /** Forwards in pieces of at most so many bytes, each handed to the system alone; a busy receiver can still join them. */
  chunkBytes?: number;
  /** Milliseconds that every byte, and the end of the stream, waits before it is forwarded; the order is kept. Default 0. */
  delayMs?: number;
}

/** What a link does from its first byte on. An empty plan is a plain proxy. */
export interface LinkPlan {
  /** Resets the connection as soon as it is accepted; the target is never dialled. Default false. */
  refuse?: boolean;
  /** How bytes to the target are carried. */
  up?: Shape;
  /** How bytes to the client are carried. */
  down?: Shape;
  /** Faults injected on the way. Default none. */
  faults?: readonly Fault[];
}

/** Both directions, or the one that is given. */
export function directionsOf(direction: Direction | undefined): readonly Direction[] {
  return direction === undefined ? ['up', 'down'] : [direction];
}

/** Refuses a shape that could never forward a byte. */
export function checkShape(shape: Shape): void {
  const { bytesPerSecond = Infinity, chunkBytes = Infinity, delayMs = 0 } = shape;
  if (!(bytesPerSecond > 0))
    throw new RangeError(`bytesPerSecond is above 0, not ${bytesPerSecond}; to stop, use freeze`);
  if (!(chunkBytes >= 1)) throw new RangeError(`chunkBytes is 1 or more, not ${chunkBytes}`);
  if (!(delayMs >= 0 && delayMs < Infinity)) throw new RangeError(`delayMs is 0 or more, not ${delayMs}`);
}
