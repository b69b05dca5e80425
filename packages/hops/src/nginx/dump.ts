import type { Files } from '../files.js';
import { Source } from '../source.js';

/** What `nginx -T` writes before each file. */
const HEAD = /^# configuration file ([^\n]+):\r?$/gm;

/** The files that one text of `nginx -T` holds, the root first; undefined for any other text. */
export function filesOfDump({ text }: Source): readonly Source[] | undefined {
  const heads = [...text.matchAll(HEAD)];
  const [first] = heads;
  // What stands before is what nginx says about the syntax, when its two outputs are one.
  if (first === undefined || !/^(?:nginx: [^\n]*\n|\s)*$/.test(text.slice(0, Math.min(first.index, 10_000))))
    return undefined;
  return heads.map((head, index) => {
    const start = head.index + head[0].length + 1;
    return new Source(head[1] ?? '', text.slice(start, heads[index + 1]?.index));
  });
}

/** Files of a dump, and no others: what is not in it nginx has not read. */
export function dumped(sources: readonly Source[]): Files {
  const byPath = new Map(sources.map((source) => [source.path, source]));
  return {
    read: (path) => byPath.get(path) ?? { unreadable: 'it is not in the dump', isMissing: true },
    list: (path) => {
      const prefix = path.endsWith('/') ? path : `${path}/`;
      const inside = [...byPath.keys()].filter((name) => name.startsWith(prefix));
      const names = inside.map((name) => name.slice(prefix.length).replace(/\/.*/, '/'));
      return names.length === 0 ? undefined : [...new Set(names)].sort();
    },
    identity: (path) => path,
  };
}
