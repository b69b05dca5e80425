/**
 * What the pages of the lint rules show beside their text: the examples that the rules' tests run. Pure, as docs.mjs is.
 *
 * @typedef {typeof import('@holdfast/hops')} Hops
 * @typedef {import('@holdfast/hops').Example} Example
 */

/** @param {string} path */
function languageOf(path) {
  if (path.endsWith('Dockerfile')) return 'dockerfile';
  const ending = /\.([a-z]+)$/.exec(path)?.[1] ?? '';
  return { conf: 'nginx', cfg: 'haproxy', yaml: 'yaml', yml: 'yaml', json: 'json' }[ending] ?? 'text';
}

/** @param {Example} example */
function shown({ texts }) {
  const paths = Object.keys(texts);
  return paths
    .map((path) => {
      const name = paths.length > 1 ? `\`${path.slice(path.indexOf('/') + 1)}\`:\n\n` : '';
      return `${name}\`\`\`${languageOf(path)}\n${(texts[path] ?? '').trimEnd()}\n\`\`\``;
    })
    .join('\n\n');
}

/** @param {Hops} hops @param {string} id @param {readonly Example[]} examples */
function exampleParts(hops, id, examples) {
  // The plain example first: what is special about the others is in their names.
  const own = examples
    .filter((example) => hops.exampleName(example.name)?.rule === id)
    .sort((a, b) => a.name.length - b.name.length);
  const of = (/** @type {boolean} */ fires) => own.filter((example) => hops.exampleName(example.name)?.fires === fires);
  const [fires, ...more] = of(true);
  const [silent] = of(false);
  if (fires === undefined || silent === undefined) throw new Error(`${id} lacks an example`);
  const findings = hops
    .lintExample(fires)
    .findings.filter((finding) => finding.rule === id)
    .map((finding) => `- line ${finding.line}, ${finding.severity}: ${finding.message}`);
  const isFixable = [fires, ...more].some((example) =>
    hops.lintExample(example).repairs.some((repair) => repair.finding.rule === id),
  );
  return `${isFixable ? '\nWhere the repair is certain, `--fix` makes it.\n' : ''}
## An example that is reported

${shown(fires)}

${findings.join('\n')}

## An example that is in order

${shown(silent)}
`;
}

/**
 * The pages of the documentation, those of rules with their examples.
 * @param {Map<string, string>} pages
 * @param {Hops} hops
 * @param {readonly Example[]} examples
 * @returns {Map<string, string>}
 */
export function withExamples(pages, hops, examples) {
  const shownOn = new Map(hops.RULES.map(({ id }) => [hops.docsOf(id), id]));
  return new Map(
    Array.from(pages, ([path, text]) => {
      const id = shownOn.get(path);
      return [path, id === undefined ? text : `${text.trimEnd()}\n${exampleParts(hops, id, examples)}`];
    }),
  );
}
