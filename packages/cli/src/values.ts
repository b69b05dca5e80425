import { availableParallelism } from 'node:os';
import { errors, HoldfastError } from '@holdfast/store';
import { parseRedisUrl } from '@holdfast/store-redis/url';
import { wrongOption } from './failure.js';

/** Where sessions are kept, as `--store` says it. */
export type StoreChoice =
  | { readonly kind: 'memory' }
  | { readonly kind: 'lmdb'; readonly path: string }
  | { readonly kind: 'redis'; readonly url: string };

type Parse<T> = (text: string) => T;

const MS_PER: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** Node's timers fire at once when they are set for later than this. */
const TIME_MS_MAX = 2_147_483_647;

/** A time with its unit, in milliseconds: a bare number would leave open which unit was meant. */
export const parseTime =
  (flag: string): Parse<number> =>
  (text) => {
    const [, number, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text) ?? [];
    const timeMs = Math.round(Number(number) * (MS_PER[unit ?? ''] ?? NaN));
    if (timeMs <= TIME_MS_MAX) return timeMs;
    throw wrongOption(flag, text, 'a time such as 500ms, 5s or 2m');
  };

export const parseCount =
  (flag: string, { min, max }: { readonly min: number; readonly max: number }): Parse<number> =>
  (text) => {
    const count = /^\d+$/.test(text) ? Number(text) : NaN;
    if (count >= min && count <= max) return count;
    throw wrongOption(flag, text, `a whole number from ${min} to ${max}`);
  };

/** A part of something, as 0.1. */
export const parseShare =
  (flag: string): Parse<number> =>
  (text) => {
    const share = /^(?:\d+\.?\d*|\.\d+)$/.test(text) ? Number(text) : NaN;
    if (share <= 1) return share;
    throw wrongOption(flag, text, 'a share from 0 to 1, such as 0.1');
  };

/** More workers than this on one machine is a slip of the keyboard. */
const WORKERS_MAX = 256;

export function parseWorkers(text: string): number {
  if (text === 'auto') return availableParallelism();
  return parseCount('--workers', { min: 1, max: WORKERS_MAX })(text);
}

/** A name of a pod has 64 characters at most, of which a number and a random part take their share. */
export function parsePodPrefix(text: string): string {
  if (/^[\w.:-]{1,40}$/.test(text)) return text;
  throw wrongOption('--pod-prefix', text, 'one to 40 of A-Za-z0-9_.:-');
}

export function parsePath(text: string): string {
  if (/^\/[^?#\s]*$/.test(text)) return text;
  throw wrongOption('--path', text, 'a path such as /socket');
}

export function parseOrigin(text: string): string {
  if (text === '*' || (URL.canParse(text) && new URL(text).origin === text)) return text;
  throw wrongOption('--allow-origin', text, "an origin such as https://app.example.com, or '*'");
}

export function parseStore(text: string): StoreChoice {
  const [, scheme, rest = ''] = /^([a-z+]+):(.*)$/s.exec(text) ?? [];
  if (scheme === 'memory' && rest === '') return { kind: 'memory' };
  if (scheme === 'lmdb' && rest !== '') return { kind: 'lmdb', path: rest };
  if (scheme !== undefined && /^rediss?(?:\+|$)/.test(scheme)) {
    parseRedisUrl(text);
    return { kind: 'redis', url: text };
  }
  // Not the whole text: an address of another kind of store may hold a password.
  throw new HoldfastError(errors.STORE_URL, scheme === undefined ? '--store has no scheme' : `--store ${scheme}:`);
}
