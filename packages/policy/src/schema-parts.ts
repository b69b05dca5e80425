import { z } from 'zod';
import type { Key, Unit } from './keys.js';
import { A_DURATION, A_SIZE, DURATION, formatDuration, formatSize, SIZE } from './units.js';
import { oneOf } from './words.js';

/** What the schema is made of. Every message of a part is what was expected there: `judge.ts` says what was found instead. */

const expecting = (expected: string): { error: () => string } => ({ error: () => expected });

export const text = (): z.ZodString =>
  z.string(expecting('a text')).min(1, 'a text that is not empty').max(4_096, 'a shorter text');

export const textLike = (pattern: RegExp, expected: string): z.ZodString =>
  z.string(expecting(expected)).regex(pattern, expected);

export const boolean = (): z.ZodBoolean => z.boolean(expecting('true or false'));

export const count = (min: number, max = Number.MAX_SAFE_INTEGER): z.ZodNumber => {
  const expected =
    max === Number.MAX_SAFE_INTEGER ? `a whole number, at least ${min}` : `a whole number from ${min} to ${max}`;
  return z.number(expecting(expected)).int(expected).min(min, expected).max(max, expected);
};

export const oneWord = <const Word extends string>(words: readonly Word[]): z.ZodEnum =>
  z.enum(words, expecting(oneOf(words))) as never;

export const duration = (): z.ZodString => textLike(DURATION, A_DURATION);

export const durationOrOff = (): z.ZodString =>
  textLike(new RegExp(`^off$|${DURATION.source}`), `${A_DURATION}, or off`);

export const section = <Shape extends z.ZodRawShape>(what: string, shape: Shape): z.ZodObject<Shape> =>
  z
    .strictObject(shape, {
      error: (issue) =>
        issue.code === 'unrecognized_keys' ? oneOf(Object.keys(shape)) : 'a mapping of keys to values',
    })
    .describe(what);

export const listOf = (item: z.ZodType, what: string): z.ZodType =>
  z.array(item, expecting('a list')).min(1, 'at least one').max(1_000, 'at most 1,000 of them').describe(what);

export const mapOf = (value: z.ZodType, what: string): z.ZodType =>
  z.record(z.string().min(1).max(253), value, expecting('a mapping of names to values')).describe(what);

export const eitherOf = (expected: string, what: string, choices: readonly [z.ZodType, z.ZodType]): z.ZodType =>
  z.union(choices, expecting(expected)).describe(what);

/** The keys of a section of the table, all optional, with their defaults for people and for editors. */
export function keysOf(keys: Readonly<Record<string, Key>>): Record<string, z.ZodType> {
  const entries = Object.values(keys);
  return Object.fromEntries(
    entries.map((key) => [
      key.key,
      valueOf(key)
        .meta({ description: key.what, ...defaultOf(key) })
        .optional(),
    ]),
  );
}

function valueOf({ unit, byDefault, byPreset }: Key): z.ZodType {
  if (typeof unit !== 'string') return oneWord(unit);
  if (unit === 'duration') return byDefault === undefined && !byPreset ? durationOrOff() : duration();
  return SIMPLE[unit]();
}

const quantity = 'a quantity as Kubernetes writes it, such as 2, 500m or 4Gi';

const SIMPLE: Readonly<Record<Exclude<Extract<Unit, string>, 'duration'>, () => z.ZodType>> = {
  size: () => textLike(SIZE, A_SIZE),
  count: () => count(0),
  positive: () => count(1),
  attempts: () => z.union([count(1), z.literal('unlimited')], expecting('a whole number, at least 1, or unlimited')),
  share: () =>
    z.number(expecting('a number from 0 to 1')).min(0, 'a number from 0 to 1').max(1, 'a number from 0 to 1'),
  percent: () => count(1, 100),
  boolean,
  text,
  path: () => textLike(/^\/[!-:<-~]{0,1023}$/, 'a path that begins with /, without spaces and semicolons'),
  quantity: () =>
    z.union(
      [z.number().positive(), textLike(/^\d{1,12}(?:\.\d{1,3})?(?:m|[kMGT]|[KMGT]i)?$/, quantity)],
      expecting(quantity),
    ),
};

/** As it would be written in the file. */
export function defaultText({ unit, byDefault }: Key): string | undefined {
  if (typeof byDefault !== 'number') return byDefault === undefined ? undefined : String(byDefault);
  return unit === 'duration' ? formatDuration(byDefault) : unit === 'size' ? formatSize(byDefault) : String(byDefault);
}

function defaultOf(key: Key): { default?: string | number | boolean } {
  const { byDefault, unit } = key;
  if (byDefault === undefined) return {};
  return { default: unit === 'duration' || unit === 'size' ? defaultText(key) : byDefault };
}
