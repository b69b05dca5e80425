import { effectiveOne } from '../../nginx/effective.js';
import { isAtLeast } from '../context.js';
import { insertBehind, replace } from '../edits.js';
import type { Rule } from '../rule.js';
import { graveIfMissing, type NginxConfig, placeOf } from './config.js';

export const http10: Rule<NginxConfig> = {
  id: 'NGX003',
  name: 'http10',
  severity: 'error',
  title: 'The backend is spoken to by HTTP/1.0',
  what: 'Upgrade is forwarded, and `proxy_http_version` is `1.0` or `2`, or is not set and nginx is older than 1.29.7 or of unknown version (`--nginx-version`). A warning where the policy says that the backend is Node, or where the location or its server includes a file that could not be read.',
  why: 'RFC 6455 asks for HTTP/1.1, and nginx speaks 1.0 by default before 1.29.7. Node and `ws` take it all the same; servers in Go, Java, .NET and Python commonly refuse. With `2` nginx cannot take a 101.',
  fix: 'Set `proxy_http_version 1.1;`.',
  source: 'nginx commit 6bb27a631 and documentation of proxy_http_version; measured with Node 20 and ws.',
  *check(config, { environments, nginxVersion }) {
    const isNode = environments.length > 0 && environments.every(({ service }) => service.language === 'node');
    for (const { node, pass, upgrade } of config.webSockets) {
      if (upgrade.sent.length + upgrade.lost.length === 0) continue;
      const line = effectiveOne(node, 'proxy_http_version');
      const value = line?.directive.args[0];
      const word = line?.directive.words[1];
      if (value === '1.1' || (line === undefined && isAtLeast(nginxVersion, [1, 29, 7]))) continue;
      const { source } = (line ?? pass).directive;
      yield {
        at: placeOf(line ?? node),
        severity: isNode && value !== '2' ? 'warning' : line ? 'error' : graveIfMissing(config, node),
        message:
          line === undefined
            ? 'no proxy_http_version 1.1 is in effect: nginx before 1.29.7 speaks HTTP/1.0 to the backend'
            : `proxy_http_version ${value ?? ''} cannot carry the handshake`,
        edits:
          line === undefined
            ? // Inside of an `if` it is not allowed.
              pass.parent === node
              ? [insertBehind(pass.directive, ['proxy_http_version 1.1;'])]
              : undefined
            : word && [replace({ source, start: word.start, end: word.end }, '1.1')],
      };
    }
  },
};
