const UNITS_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
  M: 2_592_000_000,
  y: 31_536_000_000,
};

/** A time as nginx writes it (`60`, `90s`, `1h30m`, `500ms`) in milliseconds; without a unit it is seconds. Undefined if it is none. */
export function timeMs(text: string | undefined): number | undefined {
  if (text === undefined || text.length > 60 || !/^(?:\d+(?:ms|[smhdwMy]) ?)*(?:\d+(?:ms|[smhdwMy])?)$/.test(text))
    return undefined;
  let sum = 0;
  for (const [, number, unit] of text.matchAll(/(\d+)(ms|[smhdwMy])?/g))
    sum += Number(number) * (UNITS_MS[unit ?? 's'] ?? 0);
  return Number.isFinite(sum) ? sum : undefined;
}

/** Milliseconds as a person writes them: `90s`, `1h`, `500ms`. */
export function writtenMs(ms: number): string {
  for (const unit of ['d', 'h', 'm', 's'] as const) {
    const size = UNITS_MS[unit] ?? 1;
    // 90 s and 60 s read better than 1.5 m and 1 m.
    if (ms % size === 0 && (unit === 's' || ms / size > (unit === 'm' ? 2 : 0)) && ms > 0)
      return `${ms / size} ${unit}`;
  }
  return `${ms} ms`;
}

/** A number such as `512` or `10k`. */
export function count(text: string | undefined): number | undefined {
  const [, digits, unit] = /^(\d{1,15})([kKmM]?)$/.exec(text ?? '') ?? [];
  if (digits === undefined) return undefined;
  return Number(digits) * (unit === '' ? 1 : /k/i.test(unit ?? '') ? 1024 : 1024 * 1024);
}

/** The names of the variables in a value, without `$`: `$http_upgrade`, `${name}`. */
export function variables(value: string): string[] {
  return Array.from(value.matchAll(/\$(?:\{(\w+)\}|(\w+))/g), (match) => match[1] ?? match[2] ?? '');
}
