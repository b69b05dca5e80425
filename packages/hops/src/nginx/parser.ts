import type { Source } from '../source.js';
import { type Token, tokenize, unescape } from './lexer.js';
import { shapeProblem } from './shape.js';

/** A word of a directive. */
export interface Word {
  /** As nginx reads it, without quotes and escapes. */
  readonly text: string;
  readonly isQuoted: boolean;
  readonly start: number;
  readonly end: number;
}

/** One directive: a name, its arguments, and `;` or a block. */
export interface Directive {
  readonly name: string;
  readonly args: readonly string[];
  /** The name and the arguments, with their places. */
  readonly words: readonly Word[];
  readonly source: Source;
  /** From the name to behind the `;` or the closing brace. */
  readonly start: number;
  readonly end: number;
  /** What is between the braces; undefined for a directive that ends with `;`. */
  readonly block?: readonly Directive[];
  /** Offsets between the braces. */
  readonly inner?: { readonly start: number; readonly end: number };
  /** The body of a `_by_lua_block`. */
  readonly lua?: string;
}

/** What nginx would refuse about the shape of a file. */
export interface SyntaxProblem {
  readonly source: Source;
  readonly offset: number;
  readonly message: string;
}

export interface NginxFile {
  readonly source: Source;
  readonly directives: readonly Directive[];
  readonly comments: readonly Token[];
  readonly problems: readonly SyntaxProblem[];
}

/** Blocks within blocks; nginx has no use for a tenth of it, and whoever walks a tree may recurse. */
const DEPTH_MAX = 100;
/** Of a broken file the first say enough. */
const PROBLEMS_MAX = 20;

const AFTER_QUOTE = 'a quoted word must be followed by white space';

interface OpenBlock {
  readonly words: readonly Word[];
  readonly open: Token;
  readonly children: Directive[];
}

/** Reads one file, without what it includes. It goes on behind every mistake, so that rules see as much as there is. */
export function parseNginx(source: Source): NginxFile {
  const { text } = source;
  const problems: SyntaxProblem[] = [];
  const comments: Token[] = [];
  const top: Directive[] = [];
  const blocks: OpenBlock[] = [];
  /** Braces that were opened beyond `DEPTH_MAX`. */
  let tooDeep = 0;
  let words: Word[] = [];
  let lua: Token | undefined;
  let previous: Token | undefined;

  const problem = (offset: number, message: string): void => {
    if (problems.length < PROBLEMS_MAX) problems.push({ source, offset, message });
  };
  const siblings = (): Directive[] => blocks.at(-1)?.children ?? top;
  const finish = (of: readonly Word[], end: number, rest: Partial<Directive> = {}): void => {
    const [name, ...args] = of;
    if (name === undefined || tooDeep > 0) return;
    const { text: title, start } = name;
    const wrong = shapeProblem(title, rest.block !== undefined, blocks.at(-1)?.words[0]?.text);
    if (wrong !== undefined) problem(start, wrong);
    siblings().push({ name: title, args: args.map((word) => word.text), words: of, source, start, end, ...rest });
  };
  const close = (token: { start: number; end: number }): void => {
    const block = blocks.pop();
    if (block === undefined) return problem(token.start, "unexpected '}'");
    const inner = { start: block.open.end, end: token.start };
    const body = lua && lua.start === block.open.end ? { lua: text.slice(lua.start, lua.end) } : {};
    finish(block.words, token.end, { block: block.children, inner, ...body });
  };

  for (const token of tokenize(text)) {
    const before = previous;
    previous = token;
    switch (token.kind) {
      case 'space':
        break;
      case 'comment':
        if (before?.kind === 'quoted') problem(token.start, AFTER_QUOTE);
        comments.push(token);
        break;
      case 'open':
        problem(token.start, 'this quote is never closed');
        words.push(wordOf(text, token));
        break;
      case 'word':
      case 'quoted':
        if (before?.kind === 'quoted' && text.charAt(token.start) !== ')') {
          problem(token.start, AFTER_QUOTE);
        }
        words.push(wordOf(text, token));
        break;
      case ';':
        if (words.length === 0) problem(token.start, "unexpected ';'");
        finish(words, token.end);
        words = [];
        break;
      case '{':
        if (tooDeep > 0 || blocks.length === DEPTH_MAX) {
          if (tooDeep++ === 0) problem(token.start, `more than ${DEPTH_MAX} blocks within one another`);
        } else {
          if (words.length === 0) problem(token.start, "unexpected '{'");
          blocks.push({ words, open: token, children: [] });
        }
        words = [];
        break;
      case 'lua':
        lua = token;
        break;
      case '}':
        unfinished(words, problem);
        words = [];
        if (tooDeep > 0) tooDeep--;
        else close(token);
        break;
    }
  }
  unfinished(words, problem);
  const innermost = blocks.at(-1);
  if (innermost)
    problem(innermost.words[0]?.start ?? innermost.open.start, "this block is not closed: a '}' is missing");
  tooDeep = 0;
  while (blocks.length > 0) close({ start: text.length, end: text.length });
  return { source, directives: top, comments, problems };
}

function unfinished(words: readonly Word[], problem: (offset: number, message: string) => void): void {
  const [name] = words;
  if (name) problem(name.start, `'${shortened(name.text)}' is not terminated by ';'`);
}

const shortened = (text: string): string => (text.length > 60 ? `${text.slice(0, 60)}...` : text);

function wordOf(text: string, { kind, start, end }: Token): Word {
  return { text: unescape(text.slice(start, end)), isQuoted: kind === 'quoted', start, end };
}
