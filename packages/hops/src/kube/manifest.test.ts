import { describe, expect, it } from 'vitest';
import { Source } from '../source.js';
import { type Manifest, type Path, readManifests as read } from './manifest.js';

const readManifests = (path: string, text: string) => read(new Source(path, text));
const at = (manifest: Manifest | undefined, path: Path) => manifest?.source.position(manifest.offsetOf(path));

const only = (text: string): Manifest => {
  const { manifests, problems } = readManifests('a.yaml', text);
  expect(problems).toEqual([]);
  const [first, ...others] = manifests;
  if (!first || others.length > 0) throw new Error(`${manifests.length} manifests, not 1`);
  return first;
};

describe('Kubernetes YAML', () => {
  it('is read document by document, and knows where each value is written', () => {
    const { manifests } = readManifests(
      'a.yaml',
      'kind: A\napiVersion: v1\n---\n# nothing\n---\nkind: B\napiVersion: v1\nspec:\n  replicas: 3\n',
    );
    expect(manifests.map(({ kind }) => kind)).toEqual(['A', 'B']);
    expect(at(manifests[1], ['spec', 'replicas'])).toEqual({ line: 9, column: 3 });
  });

  it('points at the nearest thing around what is absent', () => {
    const manifest = only('kind: A\napiVersion: v1\nspec:\n  template: {}\n');
    expect(at(manifest, ['spec', 'template', 'spec', 'containers', 0])).toEqual({ line: 4, column: 3 });
  });

  it('takes lists apart, also as JSON', () => {
    const list = JSON.stringify(
      {
        apiVersion: 'v1',
        kind: 'List',
        items: [{ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p', namespace: 'n' } }],
      },
      null,
      2,
    );
    expect(only(list)).toMatchObject({ kind: 'Pod', name: 'p', namespace: 'n' });
    expect(at(only(list), ['metadata', 'name'])?.line).toBe(9);
  });

  it('follows anchors and merges, and points at where the merged value is written', () => {
    const text = `
apiVersion: v1
kind: Pod
x-base: &base
  restartPolicy: Never
  priority: 1
spec:
  <<: *base
  priority: 2
other: *base
`;
    const manifest = only(text);
    expect(manifest.object['spec']).toEqual({ restartPolicy: 'Never', priority: 2 });
    expect(at(manifest, ['spec', 'restartPolicy'])).toEqual({ line: 5, column: 3 });
    expect(at(manifest, ['spec', 'priority'])?.line).toBe(9);
    expect(at(manifest, ['other', 'priority'])?.line).toBe(6);
  });

  it('reports what it cannot read, and goes on with the rest', () => {
    const { manifests, problems } = readManifests('a.yaml', 'kind: [\n---\nkind: A\napiVersion: v1\n');
    expect(problems.length).toBeGreaterThan(0);
    expect(problems[0]).toEqual({ offset: expect.any(Number) as number, message: expect.any(String) as string });
    expect(manifests.map(({ kind }) => kind)).toEqual(['A']);
  });

  it('does not follow anchors without bound', () => {
    const lines = ['kind: A', 'apiVersion: v1', 'a0: &a0 [x,x,x,x,x,x,x,x,x,x]'];
    for (let i = 1; i < 9; i++)
      lines.push(`a${i}: &a${i} [${Array.from({ length: 10 }, () => `*a${i - 1}`).join(',')}]`);
    expect(readManifests('bomb.yaml', lines.join('\n')).problems).toHaveLength(1);
    const wide = `kind: A\na: &a [${'1,'.repeat(1000)}]\nb: [${'*a,'.repeat(900)}]\n`;
    expect(readManifests('wide.yaml', wide).problems).toEqual([
      { offset: 0, message: 'its aliases multiply what is written' },
    ]);
  });

  it.each([
    ['in a list', 'kind: A\na: &a [*a, *a]\n', 'an alias stands inside of what it names'],
    ['in a map', 'kind: A\na: &a { b: { c: *a } }\n', 'an alias stands inside of what it names'],
    ['in a merge', 'kind: A\na: &a { <<: *a }\n', 'Excessive alias count'],
    ['in a list of objects', 'kind: List\nitems: &a [{ kind: List, items: *a }]\n', 'an alias stands inside'],
  ])('refuses an alias of itself %s, and goes on with the next document', (_, text, message) => {
    const { manifests, problems } = readManifests('a.yaml', `${text}---\nkind: B\n`);
    expect(problems).toEqual([{ offset: 0, message: expect.stringContaining(message) as string }]);
    expect(manifests.map(({ kind }) => kind)).toEqual(['B']);
  });

  it('has no kind where the document is no Kubernetes object, and is silent about what is no map', () => {
    const { manifests } = readManifests('a.yaml', 'just: values\n---\n- 1\n---\ntext\n');
    expect(manifests.map(({ kind, object }) => [kind, object])).toEqual([['', { just: 'values' }]]);
    expect(readManifests('a.yaml', '')).toEqual({ manifests: [], problems: [] });
  });
});
