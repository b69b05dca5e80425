/** One line of a configuration file, an empty line, or a block of lines. */
export type Line = string | Block;

export interface Block {
  readonly head: string;
  readonly body: readonly Line[];
}

export const block = (head: string, ...body: readonly (Line | readonly Line[] | undefined)[]): Block => ({
  head,
  body: body.flat().filter((line) => line !== undefined),
});

/** A line with where its number comes from. */
export const because = (line: string, reason: string): string => `${line} # ${reason}`;

/** nginx: blocks in braces, four spaces deep. */
export function nginxText(lines: readonly Line[], indent = ''): string {
  return lines
    .map((line) => {
      if (typeof line === 'string') return line === '' ? '\n' : `${indent}${line}\n`;
      return `${indent}${line.head} {\n${nginxText(line.body, `${indent}    `)}${indent}}\n`;
    })
    .join('');
}

/** HAProxy: sections at the margin, four spaces deep, an empty line between them. */
export function haproxyText(sections: readonly Block[]): string {
  return sections
    .map(({ head, body }) => {
      const lines = body.map((line) => (line === '' || typeof line !== 'string' ? '\n' : `    ${line}\n`));
      return `${head}\n${lines.join('')}`;
    })
    .join('\n');
}
