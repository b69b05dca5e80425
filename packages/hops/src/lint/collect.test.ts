import { describe, expect, it } from 'vitest';
import { type Files, memoryFiles } from '../files.js';
import { collect, type Collected, STDIN } from './collect.js';

const paths = ({ sources }: Collected): string[] => sources.map(({ path }) => path);

describe('what is collected', () => {
  const texts = {
    '/deploy/nginx.conf': 'a',
    '/deploy/k8s/app.yaml': 'b',
    '/deploy/k8s/logo.png': 'c',
    '/deploy/k8s/binary': 'a\0b',
    '/deploy/node_modules/x/nginx.conf': 'd',
    '/deploy/.git/config': 'e',
    '/other.txt': 'f',
  };

  it('is every file of a directory that may be a configuration', () => {
    const found = collect(['/deploy'], memoryFiles(texts));
    expect(paths(found)).toEqual(['/deploy/k8s/app.yaml', '/deploy/nginx.conf']);
    expect(found.named.size).toBe(0);
  });

  it('is a named file whatever it is called, once', () => {
    const found = collect(['/other.txt', '/deploy/nginx.conf', '/deploy/nginx.conf', '/deploy'], memoryFiles(texts));
    expect(paths(found)).toEqual(['/other.txt', '/deploy/nginx.conf', '/deploy/k8s/app.yaml']);
    expect([...found.named].map(({ path }) => path)).toEqual(['/other.txt', '/deploy/nginx.conf']);
  });

  it('is standard input for -', () => {
    const [source] = collect(['-'], memoryFiles({}), 'kind: Pod').sources;
    expect([source?.path, source?.text]).toEqual([STDIN, 'kind: Pod']);
  });

  it('lacks what cannot be read, and says so', () => {
    const found = collect(['/gone.conf'], memoryFiles({}));
    expect(found.problems.map(({ message }) => message)).toEqual(['/gone.conf cannot be read: it does not exist']);
  });

  it('ends where links lead in a circle', () => {
    const circle: Files = { ...memoryFiles({}), list: () => ['up/'], identity: () => '/the same' };
    expect(collect(['/a'], circle)).toMatchObject({ sources: [], problems: [] });
  });

  it('ends where directories do not, and tells what is locked', () => {
    const deep: Files = { ...memoryFiles({}), list: () => ['down/'], identity: (path) => path };
    expect(collect(['/a'], deep).problems[0]?.message).toContain('more than 40 directories deep');
    const locked: Files = { ...memoryFiles({}), list: (path) => (path === '/a' ? ['b/'] : undefined) };
    expect(collect(['/a'], locked).problems[0]?.message).toBe('/a/b cannot be read: this user may not list it');
  });
});
