import { createHash } from 'node:crypto';
import { COMMIT } from './batches.js';
import { FLUSH, PROBE, RECORDS } from './records.js';
import { ADOPT, ATTACH, CREATE, EXPIRE, LEASE } from './sessions.js';
import { FOLLOWERS, POSITIONS, READ, STATS } from './streams.js';

export interface Script {
  readonly source: string;
  readonly sha: string;
}

/** The server refuses a script that may write when it is full, before the first line; one that frees memory or keeps sessions is let through. */
const ALWAYS = '#!lua flags=allow-oom';
const WITH_ROOM = '#!lua';

function script(first: string, body: string): Script {
  const source = `${first}\n${RECORDS}${FLUSH}${body}`;
  return { source, sha: createHash('sha1').update(source).digest('hex') };
}

export const scripts = {
  probe: script(ALWAYS, PROBE),
  create: script(WITH_ROOM, CREATE),
  attach: script(ALWAYS, ATTACH),
  commit: script(WITH_ROOM, COMMIT),
  /** A batch that adds nothing: acknowledgements, watermarks, ends. */
  settle: script(ALWAYS, COMMIT),
  lease: script(ALWAYS, LEASE),
  adopt: script(ALWAYS, ADOPT),
  expire: script(ALWAYS, EXPIRE),
  read: script(ALWAYS, READ),
  followers: script(ALWAYS, FOLLOWERS),
  positions: script(ALWAYS, POSITIONS),
  stats: script(ALWAYS, STATS),
} satisfies Record<string, Script>;
