/** Durations and sizes, as a person writes them. A bare number would leave open which unit was meant, so there is none. */

const MS_PER = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const BYTES_PER = {
  '': 1,
  B: 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
} as const;

/** `500ms`, `1.5s`, `2m`, `1h`, `7d`, and the compounds that Go prints, `1h30m`. */
export const DURATION = /^(?:\d{1,12}(?:\.\d{1,6})?(?:ms|s|m|h|d))+$/;
/** Longer than any clock in this field, and still exact in a double: ten years. */
export const DURATION_MS_MAX = 3_650 * MS_PER.d;
export const SIZE = /^\d{1,15}(?:\.\d{1,6})?(?:B|[kKMGT]i?B?)$/;

export const A_DURATION = 'a duration with its unit, such as 500ms, 2s, 1h or 7d';
export const A_SIZE = 'a size with its unit, such as 64KiB, 16Mi or 4Gi';

/** Milliseconds, rounded to whole ones; undefined if it is no duration. */
export function parseDuration(text: string): number | undefined {
  if (!DURATION.test(text)) return undefined;
  let sumMs = 0;
  for (const [, number, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)) {
    sumMs += Number(number) * MS_PER[unit as keyof typeof MS_PER];
  }
  return sumMs <= DURATION_MS_MAX ? Math.round(sumMs) : undefined;
}

/** Bytes; `Ki` and `KiB` are 1,024, `k` and `kB` 1,000. Undefined if it is no size. */
export function parseSize(text: string): number | undefined {
  if (!SIZE.test(text)) return undefined;
  const [, number, unit = ''] = /^([\d.]+)(\w*)$/.exec(text) ?? [];
  const prefix = unit.replace(/B$/, '').replace(/^K$/, 'k').replace(/^ki$/, 'Ki');
  return Math.round(Number(number) * BYTES_PER[prefix as keyof typeof BYTES_PER]);
}

/** The shortest way to write it that is exact and has one unit: 90,000 ms are `90s`, 3,600,000 `1h`. */
export function formatDuration(ms: number): string {
  if (ms === Infinity) return 'unlimited';
  if (ms === 0) return '0s';
  const units = Object.entries(MS_PER).reverse();
  const [unit, per] = units.find(([, size]) => Number.isInteger(ms / size)) ?? ['ms', 1];
  return `${ms / per}${unit}`;
}

/** As {@link formatDuration}, in powers of 1,024. */
export function formatSize(bytes: number): string {
  const units = ['Ti', 'Gi', 'Mi', 'Ki'] as const;
  const unit = units.find((name) => bytes > 0 && Number.isInteger(bytes / BYTES_PER[name]));
  return unit === undefined ? `${bytes}B` : `${bytes / BYTES_PER[unit]}${unit}B`;
}

/** For people, to about three figures: 96,500 ms are `96.5s`, 3,598,500 `60m`. */
export function speakDuration(ms: number): string {
  if (!Number.isFinite(ms)) return ms > 0 ? 'unlimited' : '-unlimited';
  const exact = formatDuration(Math.abs(ms));
  if (exact.length <= 4) return `${ms < 0 ? '-' : ''}${exact}`;
  const size = Math.abs(ms);
  const [unit, per] = (
    [
      ['ms', 1, 1_000],
      ['s', 1_000, 120_000],
      ['m', 60_000, 7_200_000],
      ['h', 3_600_000, 172_800_000],
    ] as const
  ).find(([, , below]) => size < below) ?? ['d', 86_400_000];
  return `${Math.round((ms / per) * 10) / 10}${unit}`;
}
