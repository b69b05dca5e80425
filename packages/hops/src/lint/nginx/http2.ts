import { effectiveOne, enclosing, own } from '../../nginx/effective.js';
import { isAtLeast } from '../context.js';
import type { Rule } from '../rule.js';
import { type NginxConfig, placeOf } from './config.js';

export const http2OnlyAlpn: Rule<NginxConfig> = {
  id: 'NGX028',
  name: 'http2-only-alpn',
  severity: 'error',
  title: 'A listener takes HTTP/2 alone',
  what: 'A server with WebSockets has `listen ... http2` without `ssl` (nginx older than 1.25.1 or of unknown version), or a `stream` server ends TLS with `ssl_alpn h2` and nothing else. With `ssl` and `http2` both are offered, and nothing is wrong.',
  why: 'nginx knows no WebSockets over HTTP/2 (RFC 8441). A listener without TLS cannot negotiate: before 1.25.1 it takes HTTP/2 only, and no handshake can be made.',
  fix: 'Offer HTTP/1.1: leave `http2` out of a listener without TLS, and add `http/1.1` to ALPN.',
  source: 'nginx changes of 1.25.1; nginx 1.31.4 has no SETTINGS_ENABLE_CONNECT_PROTOCOL.',
  *check({ webSockets, tree }, { nginxVersion }) {
    const detects = isAtLeast(nginxVersion, [1, 25, 1]);
    const servers = new Set(detects ? [] : webSockets.map(({ node }) => enclosing(node, 'server')));
    for (const server of servers) {
      for (const line of server ? own(server, 'listen') : []) {
        const { args } = line.directive;
        if (!args.includes('http2') || args.includes('ssl')) continue;
        const message = `listen ${args.join(' ')} takes HTTP/2 only, over which nginx carries no WebSockets`;
        yield { at: placeOf(line), message };
      }
    }
    if (webSockets.length === 0) return;
    for (const stream of own(tree.main, 'stream')) {
      for (const server of own(stream, 'server')) {
        const line = effectiveOne(server, 'ssl_alpn');
        if (line === undefined || !line.directive.args.includes('h2') || line.directive.args.includes('http/1.1'))
          continue;
        yield { at: placeOf(line), message: 'ALPN offers h2 alone: browsers have no protocol left to upgrade' };
      }
    }
  },
};
