import type { Clock } from '@holdfast/policy';
import { NOTHING } from './words.js';

// The clocks of nginx, whatever program it runs inside of: that says where each is set, by which name, and how it is known.

export const READ = {
  name: 'read',
  title: 'proxy_read_timeout',
  kind: 'idle-either',
  defaultMs: 60_000,
  resetBy: 'any byte in either direction; TCP keepalive does not',
  clientSees: '1006: FIN, over TLS after a close_notify',
} satisfies Partial<Clock>;

export const SEND = {
  name: 'send',
  title: 'proxy_send_timeout',
  kind: 'backpressure',
  defaultMs: 60_000,
  resetBy: 'the pod taking bytes again',
  clientSees: '1006, after the pod took nothing for so long',
} satisfies Partial<Clock>;

export const CLIENT_SEND = {
  name: 'clientSend',
  title: 'send_timeout',
  kind: 'backpressure',
  defaultMs: 60_000,
  resetBy: 'the client taking bytes again',
  clientSees: '1006, after the client took nothing for so long',
} satisfies Partial<Clock>;

export const CONNECT = {
  name: 'connect',
  title: 'proxy_connect_timeout',
  kind: 'connect',
  defaultMs: 60_000,
  resetBy: NOTHING,
  clientSees: '504 on the handshake',
  known: ['documentation'],
  maxMs: 75_000,
} satisfies Partial<Clock>;

export const SHUTDOWN = {
  name: 'shutdown',
  title: 'worker_shutdown_timeout',
  kind: 'cohort',
  defaultMs: undefined,
  resetBy: NOTHING,
  clientSees: '1006, for all connections of the old worker in the same instant: FIN, over TLS without close_notify',
  covers: 'drain',
  after: 'reload',
} satisfies Partial<Clock>;
