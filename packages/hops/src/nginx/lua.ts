/**
 * Where the body of a `_by_lua_block` ends: the offset of its closing brace, or the end of the text. Braces in strings, long
 * brackets and comments of Lua do not count.
 */
export function endOfLua(text: string, start: number): number {
  const stop = /--\[(=*)\[|--|\[(=*)\[|["'{}]/g;
  stop.lastIndex = start;
  let depth = 1;
  for (let match = stop.exec(text); match !== null; match = stop.exec(text)) {
    const [found, commentLevel, stringLevel] = match;
    const level = commentLevel ?? stringLevel;
    if (found === '{') depth++;
    else if (found === '}') {
      if (--depth === 0) return match.index;
    } else if (level !== undefined) stop.lastIndex = behind(text, `]${level}]`, stop.lastIndex);
    else if (found === '--') stop.lastIndex = behind(text, '\n', stop.lastIndex);
    else stop.lastIndex = behindString(text, stop.lastIndex, found);
  }
  return text.length;
}

function behind(text: string, what: string, from: number): number {
  const at = text.indexOf(what, from);
  return at < 0 ? text.length : at + what.length;
}

/** A string of Lua ends with its quote, or, unfinished, with its line. */
function behindString(text: string, from: number, quote: string): number {
  const stop = /["'\\\n]/g;
  stop.lastIndex = from;
  for (let match = stop.exec(text); match !== null; match = stop.exec(text)) {
    if (match[0] === quote || match[0] === '\n') return stop.lastIndex;
    if (match[0] === '\\') stop.lastIndex = match.index + 2;
  }
  return text.length;
}
