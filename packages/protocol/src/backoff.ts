/** A source of numbers in [0, 1). The protocol draws none itself. */
export type Random = () => number;

export interface BackoffBounds {
  readonly retryMinMs: number;
  readonly retryMaxMs: number;
}

/**
 * Exponential backoff with full jitter: anywhere between nothing and a bound that doubles with every attempt. Full jitter
 * spreads clients that were all cut at the same instant; see "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
 */
export const backoffMs = (attempt: number, { retryMinMs, retryMaxMs }: BackoffBounds, random: Random): number =>
  random() * Math.min(retryMaxMs, retryMinMs * 2 ** Math.min(attempt, 30));

/** After a hint: never earlier than it says, and spread over as long again. */
export const hintedMs = (hintMs: number, random: Random): number => hintMs * (1 + random());
