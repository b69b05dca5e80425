import { describe, expect, it } from 'vitest';
import { memoryFiles } from '../files.js';
import { Source } from '../source.js';
import { effective, effectiveValue, enclosing, own, walk } from './effective.js';
import { type NginxTree, nginxTree, readNginx } from './tree.js';

function read(texts: Record<string, string>, root = '/etc/nginx/nginx.conf'): NginxTree {
  return readNginx(new Source(root, texts[root] ?? ''), memoryFiles(texts));
}
const names = (tree: NginxTree): string[] => [...walk(tree.main)].map(({ directive }) => directive.name);

describe('a tree of nginx', () => {
  it('puts what is included in place of its include, relative to the directory of the root', () => {
    const tree = read({
      '/etc/nginx/nginx.conf': 'http { include conf.d/*.conf; }',
      '/etc/nginx/conf.d/b.conf': 'server { include snippets/ws; }',
      '/etc/nginx/conf.d/a.conf': 'map $a $b { }',
      '/etc/nginx/conf.d/.hidden.conf': 'hidden;',
      '/etc/nginx/snippets/ws': 'listen 80;',
    });
    expect(names(tree)).toEqual(['http', 'include', 'map', 'server', 'include', 'listen']);
    expect(tree.problems).toEqual([]);
    expect(tree.isComplete).toBe(true);
  });

  it('tells of an include that does not exist, but not of an empty pattern or a file that comes with nginx', () => {
    const tree = read({ '/etc/nginx/nginx.conf': 'include gone.conf; include gone/*.conf; include mime.types;' });
    expect(tree.problems.map(({ message }) => message)).toEqual([
      '/etc/nginx/gone.conf cannot be read: it does not exist',
    ]);
    expect(tree.isComplete).toBe(false);
  });

  it('leaves a cycle out and tells of it', () => {
    const tree = read({
      '/etc/nginx/nginx.conf': 'include a;',
      '/etc/nginx/a': 'x; include b;',
      '/etc/nginx/b': 'include a; y;',
    });
    expect(names(tree)).toEqual(['include', 'x', 'include', 'include', 'y']);
    expect(tree.problems.map(({ message }) => message)).toEqual([
      '/etc/nginx/a includes itself: the cycle is left out',
    ]);
  });

  it('bounds includes that multiply', () => {
    const texts: Record<string, string> = { '/n': 'include f0;' };
    for (let level = 0; level < 18; level++) texts[`/f${level}`] = `include f${level + 1}; `.repeat(8);
    texts['/f18'] = 'x;';
    expect(read(texts, '/n').problems.map(({ message }) => message)).toEqual([
      'includes bring in more than 500000 directives',
    ]);
  });

  it('looks for what lies in /etc/nginx beside the root, when that lies elsewhere', () => {
    const tree = read(
      { '/repo/nginx.conf': 'include /etc/nginx/conf.d/a.conf;', '/repo/conf.d/a.conf': 'x;' },
      '/repo/nginx.conf',
    );
    expect(names(tree)).toEqual(['include', 'x']);
  });
});

describe('what is in effect', () => {
  const tree = nginxTree(
    new Source(
      'nginx.conf',
      `http { proxy_read_timeout 10s; proxy_set_header A 1; proxy_set_header B 2;
         server { location /a { proxy_read_timeout 20s; } location /b { proxy_set_header C 3; if ($x) { y; } } } }`,
    ),
  );
  const location = (path: string): ReturnType<typeof locationOf> => locationOf(path);
  function locationOf(path: string) {
    const found = [...walk(tree.main)].find(({ directive }) => directive.args[0] === path);
    if (found === undefined) throw new Error(path);
    return found;
  }
  const headers = (path: string): string[] =>
    effective(location(path), 'proxy_set_header').map(({ directive }) => directive.args.join(' '));

  it('is inherited where a level has none', () => {
    expect(effectiveValue(location('/a'), 'proxy_read_timeout')).toBe('20s');
    expect(effectiveValue(location('/b'), 'proxy_read_timeout')).toBe('10s');
    expect(effectiveValue(location('/b'), 'proxy_send_timeout')).toBeUndefined();
    expect(headers('/a')).toEqual(['A 1', 'B 2']);
  });

  it('is replaced wholesale by a level that has one', () => {
    expect(headers('/b')).toEqual(['C 3']);
    const inIf = own(location('/b'), 'if')[0];
    expect(inIf && effective(inIf, 'proxy_set_header').length).toBe(1);
    expect(inIf && enclosing(inIf, 'server')?.directive.name).toBe('server');
  });
});
