/**
 * Every bound of the protocol in one place, with its reason. A limit that an operator may want to move is an option of the
 * server or the client and only its default is here; the rest is part of holdfast.v1 and the same for everybody.
 */
export const LIMITS = {
  /** Longest header line, without its LF. Only an `ack` that names many topics comes near it. */
  headerBytes: 8_192,
  /**
   * Largest body of a `hello`, `resume`, `welcome` or `resumed`. The longest legal one has 256 topics of 394 bytes and an `auth` of
   * 8 KiB that JSON escapes to six times its length: 150 kB.
   */
  handshakeBytes: 262_144,
  /** Topics one session may follow at once. Bounds the `resume` frame and the work of one attach. */
  topics: 256,
  /** Longest topic name as it stands on the wire, after percent-encoding. */
  topicBytes: 128,
  /** Longest session id, resume token, stream epoch and pod name. */
  idBytes: 64,
  /** Longest `auth` string that a client may present. Cookies and bearer tokens of 4 KiB are common. */
  authBytes: 8_192,
  /** Longest reason of a close frame (RFC 6455, section 5.5: 125 bytes less the code). */
  reasonBytes: 123,
  /** Highest number on the wire: what a double holds exactly. At a million messages a second it lasts 285 years. */
  number: Number.MAX_SAFE_INTEGER,
  /** Topics that one `ack` frame reports; the others follow in the next. */
  acksPerFrame: 32,
  /** Messages that wait in a client, however small: with what each costs beside its bytes, about 32 MiB. */
  waitingMessages: 262_144,
  /** Messages that a server has in flight to one client at most, whatever window it asks for: it remembers each. */
  inFlightMessages: 65_536,
  /** What one read of a log brings at most, whatever window a client asks for: the memory that a slow consumer takes. */
  readMessages: 1_024,
  readBytes: 1_048_576,
} as const;
