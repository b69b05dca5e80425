import type { Source } from '../source.js';

/** A line of HAProxy: a keyword and its arguments. */
export interface HaproxyLine {
  readonly words: readonly HaproxyWord[];
  readonly source: Source;
  readonly start: number;
  readonly end: number;
}

export interface HaproxyWord {
  /** Without quotes and escapes. */
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

/** `global`, `defaults`, `frontend` and so on, with its lines. */
export interface HaproxySection {
  readonly kind: string;
  readonly name: string;
  readonly head: HaproxyLine;
  readonly lines: readonly HaproxyLine[];
  /** The `defaults` section that it takes what it does not set from. */
  readonly defaults: HaproxySection | undefined;
}

export interface HaproxyConfig {
  readonly source: Source;
  readonly sections: readonly HaproxySection[];
  readonly problems: readonly { readonly offset: number; readonly message: string }[];
}

/** Words that begin a section; everything else belongs to the one before. */
const SECTIONS = new Set(
  (
    'global defaults frontend backend listen peers resolvers mailers userlist program cache ring log-forward log-profile ' +
    'fcgi-app http-errors crt-store traces acme'
  ).split(' '),
);

/** Reads a configuration. `defaults` without a name serve all sections up to the next; those with one also who asks by `from`. */
export function parseHaproxy(source: Source): HaproxyConfig {
  const sections: HaproxySection[] = [];
  const problems: { offset: number; message: string }[] = [];
  const named = new Map<string, HaproxySection>();
  let defaults: HaproxySection | undefined;
  let lines: HaproxyLine[] | undefined;
  for (const line of linesOf(source, problems)) {
    const [keyword, first] = line.words;
    if (keyword === undefined) continue;
    if (!SECTIONS.has(keyword.text)) {
      if (lines) lines.push(line);
      else problems.push({ offset: line.start, message: `'${keyword.text.slice(0, 60)}' stands before any section` });
      continue;
    }
    const from = line.words.findIndex(({ text }) => text === 'from');
    const parent = from > 0 ? line.words[from + 1] : undefined;
    const inherited = parent ? named.get(parent.text) : defaults;
    if (parent && inherited === undefined) {
      problems.push({
        offset: parent.start,
        message: `there is no defaults section '${parent.text.slice(0, 60)}' before this`,
      });
    }
    lines = [];
    const isDefaults = keyword.text === 'defaults';
    const name = first && first.text !== 'from' ? first.text : '';
    const section: HaproxySection = {
      kind: keyword.text,
      name,
      head: line,
      lines,
      defaults: isDefaults && !parent ? undefined : inherited,
    };
    sections.push(section);
    if (!isDefaults) continue;
    defaults = section;
    if (name !== '') named.set(name, section);
  }
  return { source, sections, problems };
}

/** A word ends at white space, a comment or the line; quotes and backslashes hide them anywhere in it. */
function* linesOf(source: Source, problems: { offset: number; message: string }[]): Generator<HaproxyLine> {
  const { text } = source;
  let at = 0;
  while (at < text.length) {
    const words: HaproxyWord[] = [];
    const start = skipSpace(text, at);
    at = start;
    while (at < text.length && text.charAt(at) !== '\n' && text.charAt(at) !== '#') {
      const word = wordAt(text, at);
      if (word.isOpen) problems.push({ offset: at, message: 'this quote is not closed on its line' });
      words.push({ text: word.text, start: at, end: word.end });
      at = skipSpace(text, word.end);
    }
    yield { words, source, start, end: words.at(-1)?.end ?? start };
    const next = text.indexOf('\n', at);
    at = next < 0 ? text.length : next + 1;
  }
}

function skipSpace(text: string, from: number): number {
  const space = /[ \t\r]*/y;
  space.lastIndex = from;
  space.test(text);
  return space.lastIndex;
}

function wordAt(text: string, start: number): { text: string; end: number; isOpen: boolean } {
  const stop = /[ \t\r\n#"'\\]/g;
  const parts: string[] = [];
  let quote: string | undefined;
  let from = start;
  stop.lastIndex = start;
  for (let match = stop.exec(text); match !== null; match = stop.exec(text)) {
    const [char] = match;
    const at = match.index;
    if (char === '\n' || (quote === undefined && /[ \t\r#]/.test(char))) {
      return { text: parts.join('') + text.slice(from, at), end: at, isOpen: quote !== undefined };
    }
    const isQuote = char === quote || (quote === undefined && (char === '"' || char === "'"));
    if (isQuote) {
      parts.push(text.slice(from, at));
      quote = quote === undefined ? char : undefined;
      from = at + 1;
    } else if (char === '\\' && quote !== "'" && /[^\r\n]/.test(text.charAt(at + 1))) {
      parts.push(text.slice(from, at), text.charAt(at + 1));
      from = at + 2;
      stop.lastIndex = from;
    }
  }
  return { text: parts.join('') + text.slice(from), end: text.length, isOpen: quote !== undefined };
}

/** The lines of one keyword in a section, given by one word or several (`option httpclose`). */
export function linesIn(section: HaproxySection, ...keyword: readonly string[]): HaproxyLine[] {
  const [first = '', ...rest] = keyword;
  const lines = byKeyword(section).get(first) ?? [];
  return rest.length === 0
    ? lines
    : lines.filter(({ words }) => rest.every((text, index) => words[index + 1]?.text === text));
}

const indexes = new WeakMap<HaproxySection, Map<string, HaproxyLine[]>>();

function byKeyword(section: HaproxySection): Map<string, HaproxyLine[]> {
  let index = indexes.get(section);
  if (index === undefined) {
    index = new Map();
    for (const line of section.lines) {
      const keyword = line.words[0]?.text ?? '';
      const same = index.get(keyword);
      if (same) same.push(line);
      else index.set(keyword, [line]);
    }
    indexes.set(section, index);
  }
  return index;
}

/** The last line of a keyword in a section, or else in its defaults, and theirs. */
export function effectiveLine(section: HaproxySection, ...keyword: readonly string[]): HaproxyLine | undefined {
  let level: HaproxySection | undefined = section;
  while (level) {
    const found = linesIn(level, ...keyword).at(-1);
    if (found) return found;
    level = level.defaults;
  }
  return undefined;
}

/** Whether an option is on: `option x` here or in the defaults, and no `no option x` nearer. */
export function effectiveOption(section: HaproxySection, name: string): HaproxyLine | undefined {
  let level: HaproxySection | undefined = section;
  while (level) {
    const on = linesIn(level, 'option', name).at(-1);
    const off = linesIn(level, 'no', 'option', name).at(-1);
    if (on || off) return on && (off?.start ?? -1) < on.start ? on : undefined;
    level = level.defaults;
  }
  return undefined;
}

const UNITS_MS: Readonly<Record<string, number>> = {
  us: 0.001,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** A time of HAProxy in milliseconds; without a unit it is milliseconds. */
export function haproxyMs(text: string | undefined): number | undefined {
  const [, digits, unit] = /^(\d{1,15})(us|ms|[smhd])?$/.exec(text ?? '') ?? [];
  return digits === undefined ? undefined : Number(digits) * (UNITS_MS[unit ?? 'ms'] ?? 1);
}
