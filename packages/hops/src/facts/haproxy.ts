import type { Hop } from '@holdfast/policy';
import { EITHER, NOTHING } from './words.js';

export const haproxy: Hop = {
  kind: 'haproxy',
  title: 'HAProxy',
  what: 'HAProxy in HTTP mode. After the upgrade its tunnel clock takes the place of `timeout client` and `timeout server`.',
  clocks: [
    {
      name: 'tunnel',
      title: 'timeout tunnel',
      kind: 'idle-either',
      defaultMs: undefined,
      resetBy: EITHER,
      clientSees: '1006: FIN to the client, RST to the pod; `cD--` or `sD--` in the log',
      raise: '`timeout tunnel 1h` in defaults, listen or backend; a frontend ignores it',
      known: ['measured', 'source', 'documentation'],
      setBy: 'read',
      becomes: { kind: 'idle-each-direction', option: 'independentStreams' },
    },
    {
      name: 'connect',
      title: 'timeout connect',
      kind: 'connect',
      defaultMs: undefined,
      resetBy: NOTHING,
      clientSees: '503 on the handshake',
      raise: '`timeout connect 5s`',
      known: ['measured', 'documentation'],
      setBy: 'connect',
    },
    {
      name: 'clientFin',
      title: 'timeout client-fin',
      kind: 'backpressure',
      defaultMs: undefined,
      resetBy: 'the other half being closed',
      clientSees:
        'nothing: it has had its end already. A WebSocket is ended at once on both sides; this is for bytes (mode tcp)',
      raise: '`timeout client-fin 30s`',
      known: ['measured', 'documentation'],
    },
    {
      name: 'hardStop',
      title: 'hard-stop-after',
      kind: 'cohort',
      defaultMs: undefined,
      resetBy: NOTHING,
      clientSees: '1006, for all connections of the old process in the same instant',
      raise: '`hard-stop-after` in global',
      known: ['measured', 'documentation'],
      covers: 'drain',
      after: 'reload',
      setBy: 'drain',
    },
  ],
  notes: [
    'Without `timeout tunnel` the shorter of `timeout client` and `timeout server` ends the tunnel.',
    'With `option independent-streams` each direction has its own clock: a heartbeat of one side alone does not keep a connection open.',
    '`on-marked-down shutdown-sessions` ends all WebSockets of a server when a health check fails.',
    'A reload starts a new process; the old one lives until its last tunnel ends, unless `hard-stop-after` is set.',
  ],
  sources: [
    'https://docs.haproxy.org/2.6/configuration.html',
    'haproxy source at 50872daa (3.5-dev5)',
    'measured with HAProxy 2.6.12',
  ],
};
