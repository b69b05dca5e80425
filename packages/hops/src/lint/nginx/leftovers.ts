import { own, walk } from '../../nginx/effective.js';
import { remove } from '../edits.js';
import { servesPolling } from '../paths.js';
import type { Rule } from '../rule.js';
import { type NginxConfig, placeOf, type ProxyLocation } from './config.js';
import { commentAt } from './timeouts.js';

export const bufferingCargo: Rule<NginxConfig> = {
  id: 'NGX027',
  name: 'buffering-cargo',
  severity: 'info',
  title: 'proxy_buffering off does nothing for WebSockets',
  what: '`proxy_buffering off` in a location of WebSockets alone, or with a comment that speaks of WebSockets. A location that serves other requests too, such as server-sent events, may need it.',
  why: 'After the 101 nginx passes bytes on as they come, buffering or not. The line only suggests that it mattered.',
  fix: 'Take it away.',
  source: 'ngx_http_upstream.c: an upgraded connection does not go through the buffers of a response.',
  *check({ webSockets }) {
    for (const location of webSockets) {
      for (const line of own(location.node, 'proxy_buffering')) {
        if (line.directive.args[0] !== 'off') continue;
        const isSaid = /websocket|\bwss?\b/i.test(commentAt(line));
        if (isSaid || isAlone(location))
          yield { at: placeOf(line), message: 'a connection after its upgrade is not buffered, whatever this says' };
      }
    }
  },
};

const isAlone = ({ because, path }: ProxyLocation): boolean =>
  (because === 'policy' || because === 'name' || /ws|socket|cable/i.test(path)) && !servesPolling(path);

/** Since when each is gone. */
const OBSOLETE: Readonly<Record<string, string>> = {
  http2_max_field_size: '1.19.7',
  http2_max_header_size: '1.19.7',
  http2_max_requests: '1.19.7',
  http2_recv_timeout: '1.19.7',
  http2_idle_timeout: '1.19.7',
  http2_push: '1.25.1',
  http2_push_preload: '1.25.1',
  http2_max_concurrent_pushes: '1.25.1',
};

export const obsoleteHttp2: Rule<NginxConfig> = {
  id: 'NGX029',
  name: 'obsolete-h2',
  severity: 'info',
  title: 'A directive of HTTP/2 that nginx no longer has',
  what: '`http2_max_field_size`, `http2_idle_timeout` and their kin in a configuration with WebSockets.',
  why: 'nginx warns and ignores them. Whoever raised `http2_idle_timeout` for WebSockets waits for an effect that never comes: they do not travel over HTTP/2 in nginx.',
  fix: 'Delete it; `large_client_header_buffers` and `keepalive_timeout` are what counts now.',
  source: 'nginx changes of 1.19.7 and 1.25.1.',
  *check({ tree, webSockets }) {
    if (webSockets.length === 0) return;
    for (const node of walk(tree.main)) {
      const since = Object.hasOwn(OBSOLETE, node.directive.name) ? OBSOLETE[node.directive.name] : undefined;
      if (since === undefined) continue;
      const message = `${node.directive.name} has no effect since nginx ${since}`;
      yield { at: placeOf(node), message, edits: [remove(node.directive)] };
    }
  },
};
