import { createHash } from 'node:crypto';
import { CLAIM, CLEAR, COMMIT, RECALL, RECORD, UNCLAIM } from './batches.js';
import { FLUSH, PROBE } from './flush.js';
import { RECORDS } from './records.js';
import { ADOPT, ATTACH, CREATE, EXPIRE, EXPIRE_SESSIONS, EXPIRE_STREAMS, LEASE, STATE_OF } from './sessions.js';
import { FOLLOW, FOLLOWERS, LOOK, POSITIONS, READ, REFS, STATS } from './streams.js';

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
  // Only in a cluster.
  state: script(ALWAYS, STATE_OF),
  expireSessions: script(ALWAYS, EXPIRE_SESSIONS),
  expireStreams: script(ALWAYS, EXPIRE_STREAMS),
  claim: script(WITH_ROOM, CLAIM),
  claimAlways: script(ALWAYS, CLAIM),
  unclaim: script(ALWAYS, UNCLAIM),
  record: script(WITH_ROOM, RECORD),
  recall: script(ALWAYS, RECALL),
  clear: script(ALWAYS, CLEAR),
  look: script(ALWAYS, LOOK),
  refs: script(ALWAYS, REFS),
  follow: script(ALWAYS, FOLLOW),
} satisfies Record<string, Script>;
