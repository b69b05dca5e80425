import type { Hop } from '@holdfast/policy';
import { EITHER, GONE, NOTHING } from './words.js';

export const apache: Hop = {
  kind: 'apache',
  title: 'Apache httpd',
  what: 'mod_proxy_wstunnel, or since 2.4.47 `ProxyPass ... upgrade=websocket` of mod_proxy_http.',
  clocks: [
    {
      name: 'idle',
      title: 'ProxyTimeout',
      kind: 'idle-either',
      defaultMs: 60_000,
      resetBy: EITHER,
      clientSees: GONE,
      raise: '`ProxyTimeout`; in 2.5 `ProxyWebsocketIdleTimeout`, which is off by default',
      known: ['documentation', 'unverified'],
    },
    {
      name: 'connect',
      title: 'connectiontimeout',
      kind: 'connect',
      defaultMs: 60_000,
      resetBy: NOTHING,
      clientSees: '503 on the handshake',
      raise: '`ProxyPass ... connectiontimeout=5`',
      known: ['unverified'],
    },
  ],
  notes: ['A graceful restart leaves workers behind that hold WebSockets.'],
  sources: ['https://httpd.apache.org/docs/2.4/mod/mod_proxy_wstunnel.html', 'Apache bug 65180'],
};
