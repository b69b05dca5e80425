import { dirname, join } from 'node:path';
import { readNginx } from '../../nginx/tree.js';
import { Source } from '../../source.js';
import type { LintContext } from '../context.js';
import { type Dialect, linter, type Linter } from '../dialect.js';
import { replace } from '../edits.js';
import { configOf } from '../nginx/config.js';
import type { Rule } from '../rule.js';
import { finalStage, type Instruction, parseDockerfile } from './dockerfile.js';

/** A Dockerfile, and what it puts into its image for nginx. */
interface Image {
  readonly stage: readonly Instruction[];
  /** Whether WebSockets pass through its nginx; undefined if its configuration is not at hand. */
  readonly webSockets: boolean | undefined;
}

const NGINX_IMAGE = /(?:^|\/)(?:nginx(?:-unprivileged)?|openresty|angie|freenginx)(?:[:@]|$)/i;
const QUIT = /^(?:SIG)?QUIT$|^3$/i;

const sigterm: Rule<Image> = {
  id: 'NGX032',
  name: 'sigterm',
  severity: 'warning',
  title: 'The container stops nginx by SIGTERM',
  what: 'A Dockerfile whose image runs nginx has a `STOPSIGNAL` other than SIGQUIT, or is built on an image that is not of nginx and has none, so that SIGTERM it is. Information where the configuration it copies is not at hand; silent where that has no WebSockets.',
  why: 'At SIGTERM nginx closes every connection at once. At SIGQUIT its workers go on until their connections end, or for `worker_shutdown_timeout`.',
  fix: 'Write `STOPSIGNAL SIGQUIT`, and give the pod a preStop and a grace period.',
  source: 'nginx documentation, controlling nginx; Dockerfiles of the official image.',
  *check({ stage, webSockets }) {
    if (webSockets === false) return;
    const froms = stage.filter(({ name }) => name === 'FROM');
    const isOfficial = froms.some(({ rest }) =>
      NGINX_IMAGE.test(rest.replace(/^--platform=\S+\s+/, '').split(/\s/)[0] ?? ''),
    );
    const run = stage
      .filter(({ name, rest }) => (name === 'CMD' || name === 'ENTRYPOINT') && /\bnginx\b|\bopenresty\b/.test(rest))
      .at(-1);
    const signal = stage.filter(({ name }) => name === 'STOPSIGNAL').at(-1);
    const at = signal ?? (isOfficial ? undefined : run);
    if (at === undefined || (!isOfficial && run === undefined) || (signal && QUIT.test(signal.rest.trim()))) return;
    const severity = webSockets === undefined ? 'info' : 'warning';
    const what = signal ? `STOPSIGNAL ${signal.rest.trim()}` : 'SIGTERM, for there is no STOPSIGNAL,';
    yield {
      at: { source: at.source, offset: at.start },
      severity,
      message: `${what} makes nginx close every WebSocket at once when the container stops`,
      edits: signal && [replace(signal, 'STOPSIGNAL SIGQUIT')],
    };
  },
};

/** Looks into the configurations that are copied, and into no directory of another project. */
function readImage(source: Source, context: LintContext): Image {
  const stage = finalStage(parseDockerfile(source));
  const base = dirname(source.path);
  const copied = stage
    .filter(({ name, rest }) => (name === 'COPY' || name === 'ADD') && !/--from=/.test(rest))
    .flatMap(({ rest }) =>
      rest
        .replaceAll(/["[\],]/g, ' ')
        .trim()
        .split(/\s+/)
        .filter((word) => !word.startsWith('--'))
        .slice(0, -1),
    )
    .filter((path) => !path.startsWith('/') && !/(?:^|\/)\.\.(?:\/|$)|:/.test(path))
    .flatMap((path) => {
      const names = context.files.list(join(base, path));
      return names ? names.map((name) => join(base, path, name)) : [join(base, path)];
    })
    .filter((path) => /\.conf(?:\.template)?$|nginx/.test(path));
  const verdicts = copied.slice(0, 100).flatMap((path) => {
    const file = context.files.read(path);
    return file instanceof Source ? [configOf(readNginx(file, context.files), context).webSockets.length > 0] : [];
  });
  return { stage, webSockets: verdicts.length === 0 ? undefined : verdicts.includes(true) };
}

const dialect: Dialect<Image> = {
  name: 'dockerfile',
  recognises: ({ path }) => /(?:^|\/)(?:Dockerfile|Containerfile)[^/]*$|\.(?:dockerfile|containerfile)$/i.test(path),
  read: (sources, context) => ({ units: sources.map((source) => readImage(source, context)), problems: [] }),
  rules: [sigterm],
};

export const containerLinter: Linter = linter(dialect);
