import type { Clock } from '@holdfast/policy';
import { EITHER, NOTHING } from './words.js';

// The clocks of Envoy, whatever program configures it: that says where each is set, and how it is known.

export const IDLE = {
  name: 'idle',
  title: 'stream_idle_timeout',
  kind: 'idle-either',
  defaultMs: 300_000,
  resetBy: EITHER,
  clientSees: '1006; `SI` in the access log',
} satisfies Partial<Clock>;

export const LIFETIME = {
  name: 'lifetime',
  title: 'max_stream_duration',
  kind: 'lifetime',
  defaultMs: undefined,
  resetBy: NOTHING,
  clientSees: '1006 at that age; `UMSDR` in the access log',
} satisfies Partial<Clock>;

export const HANDSHAKE = {
  name: 'handshake',
  title: 'route timeout',
  kind: 'connect',
  defaultMs: 15_000,
  resetBy: NOTHING,
  clientSees: '504 on a handshake that the pod does not answer; since 1.36 it ends with the 101',
} satisfies Partial<Clock>;

export const DRAIN = {
  name: 'drain',
  kind: 'cohort',
  resetBy: NOTHING,
  clientSees: '1006, for all connections of the process in the same instant',
  covers: 'drain',
  after: 'restart',
} satisfies Partial<Clock>;
