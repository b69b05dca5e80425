import { Document, isNode, type Node, Pair, Scalar, YAMLMap, YAMLSeq } from 'yaml';

/** A value with a comment, which is where a number says what it comes from. */
export class Noted {
  readonly value: Yaml;
  readonly comment: string;

  constructor(value: Yaml, comment: string) {
    this.value = value;
    this.comment = comment;
  }
}

/** What is written as YAML. Members that are `undefined` are left out; the order of members is kept. */
export type Yaml =
  | string
  | number
  | boolean
  | Noted
  | readonly Yaml[]
  | { readonly [member: string]: Yaml | undefined };

export const noted = (value: Yaml, comment: string): Noted => new Noted(value, comment);

/** Documents of one file. A comment stands behind a scalar and above anything larger. */
export function yaml(...documents: readonly Yaml[]): string {
  return documents
    .map((document) => {
      const written = new Document(nodeOf(document));
      return written.toString({ lineWidth: 0, commentString: (comment) => comment.replace(/^(?!$)/gm, '# ') });
    })
    .join('---\n');
}

function nodeOf(given: Yaml): Node {
  if (given instanceof Noted) {
    const node = nodeOf(given.value);
    if (node instanceof Scalar) node.comment = given.comment;
    else node.commentBefore = given.comment;
    return node;
  }
  if (Array.isArray(given)) {
    const list = new YAMLSeq();
    for (const item of given as readonly Yaml[]) list.items.push(nodeOf(item));
    return list;
  }
  if (typeof given !== 'object') return new Scalar(given);
  const map = new YAMLMap();
  for (const [member, value] of Object.entries(given)) {
    if (value === undefined) continue;
    map.items.push(pairOf(member, value));
  }
  return map;
}

/** A comment above a map belongs above its key, not between the two. */
function pairOf(member: string, value: Yaml): Pair<Scalar, Node> {
  const key = new Scalar(member);
  const node = nodeOf(value);
  if (!(node instanceof Scalar) && isNode(node) && node.commentBefore != null) {
    key.commentBefore = node.commentBefore;
    node.commentBefore = null;
  }
  return new Pair(key, node);
}
