import { isRecord, type Path } from './manifest.js';

/** What stands at the end of the path; undefined where any part of it is absent or of another shape. */
export function valueAt(value: unknown, path: Path): unknown {
  let here = value;
  for (const step of path) {
    if (Array.isArray(here) && typeof step === 'number') here = here[step];
    else if (isRecord(here)) here = here[step];
    else return undefined;
  }
  return here;
}

export const recordAt = (value: unknown, path: Path): Readonly<Record<string, unknown>> => {
  const found = valueAt(value, path);
  return isRecord(found) ? found : {};
};

export const listAt = (value: unknown, path: Path): readonly unknown[] => {
  const found = valueAt(value, path);
  return Array.isArray(found) ? found : [];
};

export const textAt = (value: unknown, path: Path): string | undefined => {
  const found = valueAt(value, path);
  return typeof found === 'string' ? found : undefined;
};

export const numberAt = (value: unknown, path: Path): number | undefined => {
  const found = valueAt(value, path);
  return typeof found === 'number' ? found : undefined;
};

/** A scalar as text; '' for what is none. */
export const wordOf = (value: unknown): string =>
  typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : '';

const MS_PER: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A duration as Go, nginx and Envoy write it (`1h30m`, `0.5s`, `3600s`), in milliseconds; a bare number counts `unitMs` each. */
export function durationMs(value: unknown, unitMs = 1_000): number | undefined {
  if (typeof value === 'number') return value * unitMs;
  if (typeof value !== 'string') return undefined;
  const text = value.trim();
  if (/^\d+(?:\.\d+)?$/.test(text)) return Number(text) * unitMs;
  if (!/^(?:\d+(?:\.\d+)?(?:ms|[smhd]))+$/.test(text)) return undefined;
  let totalMs = 0;
  for (const [, number, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|[smhd])/g)) {
    totalMs += Number(number) * (MS_PER[unit ?? ''] ?? NaN);
  }
  return totalMs;
}

/** Every path in a tree of values, depth first, bounded in depth: documents of strangers may be deep. */
export function* walk(value: unknown, path: Path = [], depth = 64): Generator<readonly [Path, unknown]> {
  yield [path, value];
  if (depth === 0) return;
  const entries = Array.isArray(value) ? value.entries() : isRecord(value) ? Object.entries(value) : [];
  for (const [step, inner] of entries) yield* walk(inner, [...path, step], depth - 1);
}
