import type { Reading } from './reading.js';
import { nearest } from './words.js';

/** Fills `{service}`, `{host}`, `{environment}` and `{name}` in where they have a value. */
export function fill(
  reading: Reading,
  template: string,
  words: Readonly<Record<string, string>>,
  path: readonly string[],
): string {
  return template.replace(/\{([^{}]*)\}/g, (whole, word: string) => {
    const value = Object.hasOwn(words, word) ? words[word] : undefined;
    if (value === undefined) {
      const known = Object.keys(words);
      reading.problem(reading.at(...path), path.join('.'), `${whole} means nothing here`, {
        expected: known.map((name) => `{${name}}`).join(', '),
        nearest: nearest(word, known),
      });
    }
    return value ?? '';
  });
}
