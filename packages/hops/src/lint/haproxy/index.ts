import { parseHaproxy } from '../../haproxy/parser.js';
import type { Source } from '../../source.js';
import { type Dialect, linter, type Linter } from '../dialect.js';
import { type HaproxyUnit, unitOf } from './config.js';
import { cookieIo, httpClose, nbproc, shutdownSessions } from './servers.js';
import { hardStop, independentStreams, noClientFin, noTunnelTimeout, tunnelInFrontend } from './timeouts.js';

const SECTION =
  /^[ \t]*(?:global|defaults|frontend|backend|listen)(?:[ \t]+[\w.:-]+)?(?:[ \t]+from[ \t]+[\w.:-]+)?[ \t]*(?:#[^\n]*)?\r?$/m;
const KEYWORD =
  /^[ \t]+(?:bind|mode|server|timeout|default_backend|option|balance|use_backend|acl|maxconn|log|stats|cookie|nbproc|nbthread)[ \t]/m;
const HEAD_CHARS = 65_536;

/** A section and a line of one; braces at the end of lines are of something else. */
function isHaproxy({ path, text }: Source): boolean {
  if (/\.(?:ya?ml|json|toml|md|ts|js|mjs|lua|sh|py|go|html?)$|(?:^|\/)(?:Caddyfile|Dockerfile)[^/]*$/i.test(path))
    return false;
  const head = text.slice(0, HEAD_CHARS);
  return SECTION.test(head) && KEYWORD.test(head) && !/[;{]\r?$/m.test(head);
}

const dialect: Dialect<HaproxyUnit> = {
  name: 'haproxy',
  recognises: isHaproxy,
  read(sources, context) {
    const configs = sources.map(parseHaproxy);
    return {
      units: configs.map((config) => unitOf(config, context)),
      problems: configs.flatMap(({ source, problems }) =>
        problems.map(({ offset, message }) => ({ kind: 'syntax' as const, source, offset, message })),
      ),
    };
  },
  rules: [
    noTunnelTimeout,
    tunnelInFrontend,
    independentStreams,
    noClientFin,
    shutdownSessions,
    hardStop,
    httpClose,
    cookieIo,
    nbproc,
  ],
};

export const haproxyLinter: Linter = linter(dialect);
