import { effective, own } from '../../nginx/effective.js';
import type { Node } from '../../nginx/tree.js';
import type { Rule } from '../rule.js';
import { type NginxConfig, placeOf } from './config.js';

export const errorLogLevel: Rule<NginxConfig> = {
  id: 'NGX026',
  name: 'error-log-level',
  severity: 'info',
  title: 'nginx ends idle WebSockets without a word',
  what: 'The `error_log` in effect for WebSockets is above `info` (the default is `error`), and no `access_log` in effect has a format with `$request_time`. A part of a configuration is judged by what it sets itself.',
  why: 'That `proxy_read_timeout` ended an upgraded connection is logged at `info`. The access log shows 101 for every connection, however it ended. Drops leave no trace.',
  fix: 'Set `error_log ... info;`, or a `log_format` with `$request_time` and `$status`, where 101 at about 60 s stands out.',
  source: 'ngx_connection.c, log_error of the client connection; measured with nginx 1.22.1.',
  *check({ webSockets, tree, isMain }) {
    const timed = timedFormats(tree.main);
    for (const { node } of webSockets) {
      const logs = effective(node, 'error_log');
      if (logs.some(({ directive }) => /^(?:info|debug)/.test(directive.args[1] ?? ''))) continue;
      if (effective(node, 'access_log').some(({ directive }) => timed.has(directive.args[1] ?? 'combined'))) continue;
      const at = logs.at(-1) ?? (isMain ? own(tree.main, 'http')[0] : undefined);
      if (at === undefined) continue;
      const level = logs.at(-1)?.directive.args[1] ?? 'error';
      yield {
        at: placeOf(at),
        message: `error_log at ${level} says nothing when an idle WebSocket is closed, and no access log says how long it lived`,
      };
    }
  },
};

function timedFormats(main: Node): Set<string> {
  const lines = [main, ...own(main, 'http')].flatMap((level) => own(level, 'log_format'));
  const timed = lines.filter(({ directive }) =>
    directive.args.some((text) => /\$\{?(?:request_time|upstream_response_time)\b/.test(text)),
  );
  return new Set(timed.map(({ directive }) => directive.args[0] ?? ''));
}
