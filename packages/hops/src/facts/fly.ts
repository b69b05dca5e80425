import type { Hop } from '@holdfast/policy';
import { EITHER, GONE, NOTHING } from './words.js';

export const fly: Hop = {
  kind: 'fly',
  title: 'Fly.io proxy',
  what: 'The proxy of Fly.io.',
  clocks: [
    {
      name: 'idle',
      title: 'http_options.idle_timeout',
      kind: 'idle-either',
      defaultMs: 60_000,
      resetBy: EITHER,
      clientSees: GONE,
      raise: '`[http_service.http_options] idle_timeout = 600` in fly.toml',
      known: ['incident', 'unverified'],
    },
    {
      name: 'kill',
      title: 'kill_timeout',
      kind: 'cohort',
      defaultMs: 5_000,
      resetBy: NOTHING,
      clientSees: '1006, when a machine is replaced',
      raise: '`kill_timeout = 60` in fly.toml',
      known: ['documentation'],
      maxMs: 300_000,
      kills: 'pod',
    },
  ],
  notes: ['The default idle timeout is not published; reports say about 60 s.'],
  sources: ['https://fly.io/docs/reference/configuration/'],
};
