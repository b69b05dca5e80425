import { type CaddyLine, type Caddyfile, parseCaddyfile, walkCaddy } from '../../caddy/parser.js';
import type { Source } from '../../source.js';
import { type LintContext, webSocketPaths } from '../context.js';
import { type Dialect, linter, type Linter } from '../dialect.js';
import { insertBehind } from '../edits.js';
import { groupBy, memo } from '../memo.js';
import { looksLikeWebSocket } from '../paths.js';
import type { Rule } from '../rule.js';

const reload: Rule<Caddyfile> = {
  id: 'CAD001',
  name: 'reload-closes',
  severity: 'warning',
  title: 'Every reload of Caddy closes all WebSockets',
  what: 'A `reverse_proxy` for WebSockets (a matcher on Upgrade, a path or host that looks like it or is of the policy) without `stream_close_delay`. One that takes every request of its site may carry them, too, and is information.',
  why: 'When its configuration is reloaded Caddy closes the connections of the old one at once, with 1001, and all clients come back in the same second.',
  fix: 'Add `stream_close_delay 5m` to the block of the `reverse_proxy`, longer than the rotation of connections.',
  source: 'Caddy 2.11, modules/caddyhttp/reverseproxy/streaming.go.',
  *check(file, context) {
    for (const site of file.lines) {
      const proxies = [...walkCaddy([site])].filter(({ words }) => words[0] === 'reverse_proxy');
      const meant = proxies.filter((proxy) => isMeant(proxy, site, context));
      const open = meant.length > 0 ? [] : proxies.filter((proxy) => matchersOf(proxy).length === 0);
      for (const proxy of [...meant, ...open]) {
        if (hasDelay(proxy, file)) continue;
        const [first] = proxy.block ?? [];
        yield {
          at: { source: proxy.source, offset: proxy.start },
          severity: meant.length > 0 ? 'warning' : 'info',
          message:
            meant.length > 0
              ? 'every reload closes the WebSockets of this proxy at once: stream_close_delay is not set'
              : 'if WebSockets pass here, every reload closes them at once: stream_close_delay is not set',
          edits: first && meant.length > 0 ? [insertBehind(first, ['stream_close_delay 5m'])] : undefined,
        };
      }
    }
  },
};

/** Matchers of a proxy and of what is around it, but `*`. */
function matchersOf(proxy: CaddyLine): string[] {
  const found: string[] = [];
  for (let line: CaddyLine | undefined = proxy; line?.parent; line = line.parent) {
    const word = line.words[1] ?? '';
    if (/^[/@]/.test(word) && word !== '/*') found.push(word);
  }
  return found;
}

function isMeant(proxy: CaddyLine, site: CaddyLine, context: LintContext): boolean {
  const matchers = matchersOf(proxy);
  const paths = webSocketPaths(context);
  if (matchers.length === 0) {
    return paths.length > 0 || site.words.some((address) => looksLikeWebSocket(address.replace(/,$/, '')));
  }
  const covers = (pattern: string): boolean =>
    looksLikeWebSocket(pattern) ||
    paths.some((path) => path.startsWith(pattern.replace(/\*+$/, '').replace(/(?<=.)\/$/, '')));
  return matchers.some((matcher) => {
    if (matcher.startsWith('/')) return covers(matcher);
    return (definitions(site).get(matcher) ?? []).some(
      (word) => /websocket|upgrade/i.test(word) || (word.startsWith('/') && covers(word)),
    );
  });
}

/** The words by which the named matchers of a site are defined. */
const definitions = memo((site: CaddyLine) => {
  const found = new Map<string, string[]>();
  for (const line of walkCaddy([site])) {
    const [name = '', ...words] = line.words;
    if (name.startsWith('@'))
      found.set(name, [...words, ...[...walkCaddy(line.block ?? [])].flatMap((each) => each.words)]);
  }
  return found;
});

const snippets = memo((file: Caddyfile) => groupBy(file.lines, ({ words }) => words[0] ?? ''));

const setsDelay = memo((line: CaddyLine): boolean =>
  (line.block ?? []).some(({ words }) => words[0] === 'stream_close_delay' && !/^0[a-z]*$/.test(words[1] ?? '0')),
);

/** In the block itself, or in a snippet that it imports. */
function hasDelay(proxy: CaddyLine, file: Caddyfile): boolean {
  const imports = (proxy.block ?? []).filter(({ words }) => words[0] === 'import');
  const imported = imports.flatMap(({ words }) => snippets(file).get(`(${words[1] ?? ''})`) ?? []);
  return [proxy, ...imported].some((each) => setsDelay(each));
}

function isCaddyfile({ path, text }: Source): boolean {
  if (/(?:^|\/)Caddyfile[^/]*$|\.caddy(?:file)?$/i.test(path)) return true;
  if (/\.(?:ya?ml|json|toml|md|ts|js|mjs|lua|sh|py|go|html?)$/i.test(path)) return false;
  const head = text.slice(0, 65_536);
  return /^[ \t]*reverse_proxy[ \t]/m.test(head) && !/;[ \t]*\r?$/m.test(head);
}

const dialect: Dialect<Caddyfile> = {
  name: 'caddy',
  recognises: isCaddyfile,
  read(sources) {
    const units = sources.map(parseCaddyfile);
    return {
      units,
      problems: units.flatMap(({ source, problems }) =>
        problems.map(({ offset, message }) => ({ kind: 'syntax' as const, source, offset, message })),
      ),
    };
  },
  rules: [reload],
};

export const caddyLinter: Linter = linter(dialect);
