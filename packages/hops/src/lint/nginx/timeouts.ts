import { effectiveOne, own } from '../../nginx/effective.js';
import type { Node } from '../../nginx/tree.js';
import { timeMs, writtenMs } from '../../nginx/values.js';
import { pingOf } from '../context.js';
import type { Rule } from '../rule.js';
import { type NginxConfig, placeOf } from './config.js';

const READ_TIMEOUT_MS = 60_000;
/** What a round trip and a late timer may take beside the ping itself. */
const MARGIN_MS = 1000;

export const readTimeout: Rule<NginxConfig> = {
  id: 'NGX013',
  name: 'read-timeout-vs-ping',
  severity: 'error',
  title: 'proxy_read_timeout is not longer than the silence between pings',
  what: '`proxy_read_timeout` (60 s if nothing sets it) is at most the ping interval and a second: an error. Less than two intervals: a warning. The interval is that of the policy, or the default of 30 s for plain clients; the message says which.',
  why: 'It is the idle clock of an upgraded connection. Bytes in either direction reset it; when both are silent for so long, nginx closes, the browser sees 1006, and nothing is in an error log above `info`. Below two intervals one lost ping is enough.',
  fix: 'Raise it above two and a half ping intervals, or ping faster.',
  source: 'ngx_http_upstream.c, ngx_http_upstream_process_upgraded; measured with nginx 1.22.1.',
  *check({ webSockets }, context) {
    const ping = pingOf(context);
    for (const { node, path } of webSockets) {
      const line = effectiveOne(node, 'proxy_read_timeout');
      const ms = line ? timeMs(line.directive.args[0]) : READ_TIMEOUT_MS;
      if (ms === undefined || ms >= 2 * ping.ms) continue;
      const isCut = ms <= ping.ms + MARGIN_MS;
      const what = line
        ? `proxy_read_timeout of ${writtenMs(ms)}`
        : `location ${path}: proxy_read_timeout of ${writtenMs(ms)} by default`;
      yield {
        at: placeOf(line ?? node),
        severity: isCut ? 'error' : 'warning',
        message: isCut
          ? `${what} ends connections between pings: ${writtenMs(ping.ms)}, ${ping.from}`
          : `${what} survives no lost ping: ${writtenMs(ping.ms)}, ${ping.from}`,
      };
    }
  },
};

/** A value that is meant for connections that live long, not for a peer that is slow. */
const HOUR_MS = 3_600_000;

export const sendTimeout: Rule<NginxConfig> = {
  id: 'NGX014',
  name: 'send-timeout-as-idle',
  severity: 'info',
  title: 'proxy_send_timeout is no idle timeout',
  what: '`proxy_send_timeout` of an hour or more is in effect for WebSockets, or one above 60 s whose comment speaks of idle connections or WebSockets.',
  why: 'It does not fire because the client is silent: it runs only while nginx has bytes for the backend that the backend does not take. A long one does no good to idle connections, and keeps those to a backend that hangs.',
  fix: 'Leave it at 60 s; `proxy_read_timeout` is the idle clock.',
  source:
    'ngx_http_upstream.c, ngx_http_upstream_process_upgraded; measured with nginx 1.22.1: silence of either side never fired it.',
  *check({ webSockets }) {
    for (const { node } of webSockets) {
      const line = effectiveOne(node, 'proxy_send_timeout');
      const ms = timeMs(line?.directive.args[0]);
      if (line === undefined || ms === undefined) continue;
      const isExplained = ms > 60_000 && /idle|silen|websocket|keep.?alive|long.?lived/i.test(commentAt(line));
      if (ms < HOUR_MS && !isExplained) continue;
      yield {
        at: placeOf(line),
        message: `proxy_send_timeout of ${writtenMs(ms)} keeps no idle connection; it only hides a backend that hangs`,
      };
    }
  },
};

/** SYN packets are repeated for about so long. */
const CONNECT_MAX_MS = 75_000;

export const connectTimeout: Rule<NginxConfig> = {
  id: 'NGX015',
  name: 'connect-timeout-75',
  severity: 'warning',
  title: 'proxy_connect_timeout is longer than connecting can take',
  what: '`proxy_connect_timeout` above 75 s is in effect for WebSockets.',
  why: 'The kernel gives up after about 75 s whatever nginx waits, and until then a client hangs on a backend that is gone instead of being given another.',
  fix: 'Set 5 to 10 s.',
  source: 'nginx documentation of proxy_connect_timeout.',
  *check({ webSockets }) {
    for (const { node } of webSockets) {
      const line = effectiveOne(node, 'proxy_connect_timeout');
      const ms = timeMs(line?.directive.args[0]);
      if (line === undefined || ms === undefined || ms <= CONNECT_MAX_MS) continue;
      yield {
        at: placeOf(line),
        message: `proxy_connect_timeout of ${writtenMs(ms)} is more than the 75 s that connecting can take`,
      };
    }
  },
};

const KEEPALIVE_TIMEOUT_MS = 75_000;

export const keepaliveTimeout: Rule<NginxConfig> = {
  id: 'NGX016',
  name: 'keepalive-timeout-confusion',
  severity: 'info',
  title: 'keepalive_timeout does not apply to WebSockets',
  what: '`keepalive_timeout` above its default of 75 s stands in a WebSocket location or has a comment that speaks of WebSockets, or one of an hour or more is in effect there.',
  why: 'It is how long an idle HTTP connection waits for its next request. After a 101 there is none: `proxy_read_timeout` is the clock. A long one only keeps idle HTTP connections.',
  fix: 'Take it away, and set `proxy_read_timeout`.',
  source: 'nginx documentation of keepalive_timeout.',
  *check({ webSockets }) {
    for (const { node } of webSockets) {
      const line = effectiveOne(node, 'keepalive_timeout');
      const ms = timeMs(line?.directive.args[0]);
      if (line === undefined || ms === undefined || ms <= KEEPALIVE_TIMEOUT_MS) continue;
      const isMeant = own(node, 'keepalive_timeout').length > 0 || /websocket|\bwss?\b/i.test(commentAt(line));
      if (!isMeant && ms < HOUR_MS) continue;
      yield {
        at: placeOf(line),
        message: `keepalive_timeout of ${writtenMs(ms)} has no effect on a connection after its upgrade`,
      };
    }
  },
};

/** The comment on the line of a directive, and those on the lines before it. */
export function commentAt({ directive: { source, start } }: Node): string {
  const { line } = source.position(start);
  const found = [/#.*/.exec(source.text.slice(start, source.lineStart(line + 1)))?.[0] ?? ''];
  for (let above = line - 1; above > 0 && above >= line - 5; above--) {
    const text = source.line(above).trim();
    if (!text.startsWith('#')) break;
    found.push(text);
  }
  return found.join(' ');
}
