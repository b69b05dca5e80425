/** How many letters have to be added, removed, changed or swapped with their neighbour to make one word of another. */
export function distance(a: string, b: string): number {
  let before: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const changed = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const swapped = isSwap ? (before[j - 2] ?? 0) + 1 : Infinity;
      row[j] = Math.min(changed, swapped, (previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1);
    }
    before = previous;
    previous = row;
  }
  return previous[b.length] ?? 0;
}

/** Words longer than this are not misspelt, and comparing them costs the product of their lengths. */
const WORD_MAX = 64;

/** More than one slip, less than two. */
const PART_STEPS = 1.5;

/** The word that was probably meant, if there is one. */
export function nearest(word: string, words: Iterable<string>): string | undefined {
  if (word.length > WORD_MAX) return undefined;
  const plain = (text: string): string => text.toLowerCase().replace(/[-_ .:{}]/g, '');
  let best: { readonly word: string; readonly steps: number } | undefined;
  for (const candidate of words) {
    const [a, b] = [plain(word), plain(candidate)];
    const away = distance(a, b);
    const limit = Math.max(1, Math.floor(Math.max(a.length, b.length) / 3));
    // `readTimeout` for `read`: the word with something around it. A slip in a whole word is likelier: `ingres-nginx`.
    const isPart = b.length >= 3 && a.includes(b);
    const steps = away <= 1 || !isPart ? away : PART_STEPS;
    if ((isPart || steps <= limit) && steps < (best?.steps ?? Infinity)) best = { word: candidate, steps };
  }
  return best?.word;
}

const ONE_OF = 'one of ';

/** What was expected where only some words are valid. */
export const oneOf = (words: readonly string[]): string => ONE_OF + words.join(', ');

/** The words of what {@link oneOf} has said; none if it was not it. */
export const wordsOf = (expected: string): string[] =>
  expected.startsWith(ONE_OF) ? expected.slice(ONE_OF.length).split(', ') : [];
