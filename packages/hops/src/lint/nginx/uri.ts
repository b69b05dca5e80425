import { own } from '../../nginx/effective.js';
import { variables } from '../../nginx/values.js';
import type { Rule } from '../rule.js';
import { type NginxConfig, placeOf, type ProxyLocation } from './config.js';

export const trailingUri: Rule<NginxConfig> = {
  id: 'NGX031',
  name: 'trailing-uri',
  severity: 'warning',
  title: 'proxy_pass changes the path of the handshake',
  what: '`proxy_pass` has a URI that does not fit its location: `location /ws` with `http://backend/` (one ends in a slash, the other does not), an exact location with `/`, a regular expression with a fixed path, or a slash before `$request_uri`, which has its own. `/ws/` with `/` takes a prefix away on purpose, and a path that is rebuilt from variables is in order.',
  why: 'nginx replaces the matched part by the URI: `/ws/chat` becomes `//chat`, `/ws` becomes `/`. The backend has no WebSocket there and answers 404.',
  fix: 'Leave the URI out (`proxy_pass http://backend;`), or end both with a slash or neither.',
  source: 'nginx documentation of proxy_pass.',
  *check({ webSockets }) {
    for (const location of webSockets) {
      const result = changed(location);
      if (result === undefined) continue;
      const from = location.path;
      yield { at: placeOf(location.pass), message: `the handshake for ${from} reaches the backend as ${result}` };
    }
  },
};

/** A slash before variables that bring their own. */
const STARTS_WITH_SLASH = /^\/\$\{?(?:request_uri|uri|document_uri)\b/;

/** What becomes of the path, where that was hardly meant. */
function changed({ node, path, modifier, pass }: ProxyLocation): string | undefined {
  const [target = ''] = pass.directive.args;
  const uri = /^https?:\/\/[^/]+(\/.*)$/i.exec(target)?.[1];
  if (uri === undefined || own(node, 'rewrite').length > 0 || path.startsWith('@')) return undefined;
  if (STARTS_WITH_SLASH.test(uri)) return `${uri}, which begins with two slashes`;
  if (variables(uri).length > 0) return undefined;
  // With a variable anywhere, the URI is sent as it stands, whatever the request was.
  const isFixed = variables(target).length > 0 || modifier === '~' || modifier === '~*';
  if (isFixed) return modifier === '=' && uri !== '/' ? undefined : uri;
  if (modifier === '=') return uri === '/' && path !== '/' ? '/' : undefined;
  if (path.endsWith('/') === uri.endsWith('/')) return undefined;
  return `${uri}, and ${path}${path.endsWith('/') ? 'x' : '/x'} as ${uri}${path.endsWith('/') ? 'x' : '/x'}`;
}
