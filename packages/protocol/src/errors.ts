import { CLOSE } from './close-codes.js';
import type { ErrorKind } from './error.js';

/**
 * The registry of coded errors, one export each so that a bundle carries only those it raises.
 * docs/errors.md is generated from it and a test holds the two together.
 */
/* @__NO_SIDE_EFFECTS__ */
function peer(code: ErrorKind['code'], what: string, fix: string, close?: keyof typeof CLOSE): ErrorKind {
  return { code, side: 'peer', retryable: false, what, fix, closeCode: close && CLOSE[close] };
}
/* @__NO_SIDE_EFFECTS__ */
function caller(code: ErrorKind['code'], what: string, fix: string, close?: keyof typeof CLOSE): ErrorKind {
  return { code, side: 'caller', retryable: false, what, fix, closeCode: close && CLOSE[close] };
}
/* @__NO_SIDE_EFFECTS__ */
function environment(code: ErrorKind['code'], what: string, fix: string, close?: keyof typeof CLOSE): ErrorKind {
  return { code, side: 'environment', retryable: true, what, fix, closeCode: close && CLOSE[close] };
}

// Frames that a peer got wrong. They close the transport with 4500, where no other code is given.
export const HEADER = peer('HF_HEADER', 'A frame has no valid header line.', 'Check the peer against PROTOCOL.md.');
export const FRAME = peer('HF_FRAME', 'The type of a frame is unknown.', 'Check the protocol version of the peer.');
export const FIELD = peer('HF_FIELD', 'A header field is malformed.', 'Check the peer against PROTOCOL.md.');
export const BODY = peer('HF_BODY', 'The body of a control frame is malformed.', 'Check the peer against PROTOCOL.md.');
export const STATE = peer(
  'HF_STATE',
  'A frame came in a state that forbids it.',
  'Check the peer against PROTOCOL.md.',
);
export const ORDER = peer('HF_ORDER', 'A message number was skipped.', 'Report it: one of the two ends has a bug.');
export const ACK = peer('HF_ACK', 'A message was acknowledged that was never sent.', 'Report it: the peer has a bug.');
export const WINDOW = peer('HF_WINDOW', 'The peer sent more than its window allows.', 'Make the peer wait for acks.');
export const TOO_LARGE = peer(
  'HF_TOO_LARGE',
  'A frame exceeds its size limit.',
  'Send less in one message, or raise maxPayload.',
  'tooLarge',
);

// How an attach or a session ends.
export const FENCED = peer(
  'HF_FENCED',
  'A newer connection has taken this session over.',
  'Nothing, if it was yours; else find who else holds the resume token.',
  'fenced',
);
export const EXPIRED = peer(
  'HF_EXPIRED',
  'The session has ended, or was never known here.',
  'Open a new one and load state afresh.',
  'expired',
);
export const UNAUTHORIZED = peer(
  'HF_UNAUTHORIZED',
  'The server refused the credentials.',
  'Sign in again, then connect.',
  'unauthorized',
);
export const ORIGIN = peer(
  'HF_ORIGIN',
  'The Origin is not on the allow-list.',
  'Add it to allowedOrigins.',
  'unauthorized',
);
export const HANDSHAKE = environment(
  'HF_HANDSHAKE',
  'The first frame did not arrive in time.',
  'Look for a proxy that buffers, or raise handshakeMs.',
  'handshake',
);
export const SILENT = environment(
  'HF_SILENT',
  'Nothing was heard from the peer within deadMs.',
  'Nothing: the client resumes. If it is frequent, look at the network.',
  'silent',
);
export const SLOW_WRITE = environment(
  'HF_SLOW_WRITE',
  'The network took no byte within writeMs.',
  'Nothing: the client resumes. If it is frequent, look at the network.',
  'slowWrite',
);
export const BUSY = environment(
  'HF_BUSY',
  'The server is at a limit of admission.',
  'Wait for the hinted time; raise maxSessions or acceptsPerSecond if it lasts.',
  'later',
);
export const STORE = environment(
  'HF_STORE',
  'The store did not answer.',
  'Check the store; sessions go on by themselves.',
  'store',
);
export const FAILED = environment(
  'HF_FAILED',
  'The server could not set the session up.',
  'See the log of the server.',
  'internal',
);

// The client's own.
export const BUFFER_FULL = caller(
  'HF_BUFFER_FULL',
  'The message was not accepted: too much waits to be sent.',
  'Wait until bufferedAmount falls, or raise maxBufferedBytes.',
);
export const MESSAGE_TOO_LARGE = caller(
  'HF_MESSAGE_TOO_LARGE',
  'The message is larger than the server accepts.',
  'Split it, or raise maxPayload of the server.',
);
export const UNREACHABLE = environment(
  'HF_UNREACHABLE',
  'No connection could be made within maxAttempts.',
  'Check URL and network, or raise maxAttempts.',
);
export const OPTION = caller(
  'HF_OPTION',
  'An option or an argument cannot be used.',
  'Give what the message asks for; of a command, --help lists what there is.',
);

// The server's own.
export const TOPIC = caller(
  'HF_TOPIC',
  'The name of a topic is empty, too long or no valid Unicode, or begins with ~, as those of users do.',
  'Use at most 128 bytes, percent-encoded.',
);
export const USER = caller(
  'HF_USER',
  'The name of a user is empty, too long or no valid Unicode.',
  'Use a string of at most 127 bytes, percent-encoded.',
);
export const TOPICS = caller(
  'HF_TOPICS',
  'The session follows too many topics.',
  'Unsubscribe first, or use fewer topics.',
);
export const DATA = caller(
  'HF_DATA',
  'session.data is too large or is not JSON.',
  'Keep plain values, and few of them.',
);
export const ENDED = caller(
  'HF_ENDED',
  'The session has ended or moved to another pod.',
  'Send from the pod that holds it.',
);
export const SESSION_UNKNOWN = caller(
  'HF_SESSION_UNKNOWN',
  'No session has this id: it has ended or is closing, or there never was one.',
  'Send to its user, or drop the message.',
);
export const PUBLISHER_CLOSED = caller(
  'HF_PUBLISHER_CLOSED',
  'The publisher is closed; what it had not written by then may or may not be there.',
  'Make another one.',
);
export const BACKLOG = environment(
  'HF_BACKLOG',
  'More waits for the store than maxPendingBytes, or than maxPending.',
  'Check the store; slow the producer down.',
);
export const DRAIN = caller(
  'HF_DRAIN',
  'A drain has more clients than it moves before its deadline; those left will be cut.',
  'Raise movesPerSecond or deadlineMs, or run more pods.',
);
export const HANDLER = caller(
  'HF_HANDLER',
  'A message handler failed.',
  'See the cause; the message counts as handled.',
);
export const EXECUTION = caller(
  'HF_EXECUTION',
  'A handler ran longer than executionMs.',
  'Make it shorter, or raise executionMs.',
);

// The command's own.
export const MODULE = caller(
  'HF_MODULE',
  'The module to serve cannot be used.',
  'Give the path of an ES module whose default export is a function; if it is one, mend what the cause says.',
);
export const STORE_OPEN = caller(
  'HF_STORE_OPEN',
  'The store cannot be opened.',
  'Give a directory that this user may write, on a local disk.',
);
export const POLICY = caller(
  'HF_POLICY',
  'The policy cannot be used.',
  'Change what is named; `holdfast explain` tells of each key.',
);
export const STORE_URL = caller(
  'HF_STORE_URL',
  'The store is not known.',
  'Use memory:, lmdb:PATH or redis://HOST (rediss: for TLS, redis+cluster:, redis+sentinel:).',
);
export const LISTEN = caller(
  'HF_LISTEN',
  'The address cannot be listened on.',
  'Give another port or host, or end the program that has it.',
);
export const WORKER = caller(
  'HF_WORKER',
  'A worker ended before it was ready.',
  'See what it printed; a module must not end its process.',
);
export const KUBECTL = environment(
  'HF_KUBECTL',
  'kubectl failed.',
  'See what it said; check its context and its rights with `kubectl auth can-i`.',
);
export const NOT_OURS = caller(
  'HF_NOT_OURS',
  'Something else manages an object that would be changed.',
  'Change it there, or give the policy a service name of its own; holdfast never takes over.',
);

// What a gateway knows of its pods.
export const COOKIE_KEYS = caller(
  'HF_COOKIE_KEYS',
  'The keys that sign cookies cannot be used.',
  'Give one to eight lines of at least 32 characters, as from: openssl rand -base64 32.',
);

// Of rendering.
export const RENDER = caller(
  'HF_RENDER',
  'The policy cannot be rendered for this target.',
  'Change what the message names, or leave the target out.',
);
export const RENDER_FILE = caller(
  'HF_RENDER_FILE',
  'A file to be written was not written by holdfast.',
  'Move it away, choose another directory, or give --force.',
);
export const DISCOVERY = environment(
  'HF_DISCOVERY',
  'The pods cannot be looked up.',
  'See the cause; the pods that were known last stay in use.',
);
export const POD_FILE = caller(
  'HF_POD_FILE',
  'The file of pods cannot be used.',
  'Mend it; the pods that were known last stay in use.',
);
export const POD_COUNT = caller(
  'HF_POD_COUNT',
  'More pods were found than a pool takes.',
  'Split them over several gateways; the others are not used.',
);

export const WRITE = caller(
  'HF_WRITE',
  'A file cannot be written.',
  'Give a path that this user may write, and run the command again.',
);

// The stores' own.
export const SESSION_EXISTS = caller('HF_SESSION_EXISTS', 'A session with this id exists.', 'Draw ids at random.');
export const STORE_CLOSED = caller('HF_STORE_CLOSED', 'The store has been closed.', 'Open it again.');
export const STORE_FULL = environment(
  'HF_STORE_FULL',
  'The store has no room; the batch was not applied.',
  'Raise mapBytes or maxmemory, free the disk, or lower the retention.',
);
export const STORE_REJECTED = caller(
  'HF_STORE_REJECTED',
  'The store refuses what the session wrote, and always would.',
  'Report it, with its cause.',
  'expired',
);
export const STORE_FOREIGN = caller(
  'HF_STORE_FOREIGN',
  'The directory holds something else than a holdfast store.',
  'Give an empty directory, or one that does not exist.',
);
export const STORE_NEWER = caller(
  'HF_STORE_NEWER',
  'The store was written by a newer version of holdfast.',
  'Upgrade this one, or give another directory.',
);
export const STORE_CORRUPT = caller(
  'HF_STORE_CORRUPT',
  'The files of the store are damaged.',
  'Move the directory away and start with an empty one; clients are told what was lost.',
);
export const STORE_READ_ONLY = environment(
  'HF_STORE_READ_ONLY',
  'The Redis server takes no writes now.',
  'Wait for its failover, or look why it refuses them; sessions go on by themselves.',
);
export const STORE_DENIED = caller(
  'HF_STORE_DENIED',
  'The Redis server does not let us in, or not do what a store must.',
  'Check user and password of the URL, and what the ACL of the user allows; the README of store-redis says what it must.',
);
export const STORE_CLUSTER = caller(
  'HF_STORE_CLUSTER',
  'The Redis server is part of a cluster, and the URL says that it is alone.',
  'Use redis+cluster://HOST,HOST.',
);
export const STORE_NO_CLUSTER = caller(
  'HF_STORE_NO_CLUSTER',
  'The Redis server is not part of a cluster, and the URL says that it is.',
  'Use redis://HOST, or start the server with cluster-enabled.',
);
export const STORE_VERSION = caller(
  'HF_STORE_VERSION',
  'The Redis server is too old.',
  'Use Redis 7 or later, or Valkey.',
);
export const STORE_EVICTS = caller(
  'HF_STORE_EVICTS',
  'The Redis server throws keys away when it is full.',
  'Set maxmemory-policy to noeviction.',
);

// The gateway's own.
export const REQUEST = peer(
  'HF_REQUEST',
  'The request is not valid HTTP/1.1.',
  'Mend the client; nothing was passed on.',
);
export const REQUEST_SLOW = peer(
  'HF_REQUEST_SLOW',
  'The request did not arrive in time.',
  'Send it at once; look for a proxy that buffers.',
);
export const REQUEST_LARGE = peer(
  'HF_REQUEST_LARGE',
  'The headers or the body of the request exceed a limit.',
  'Send less, or raise limits.headerBytes or limits.bodyBytes.',
);
export const UPGRADE = peer(
  'HF_UPGRADE',
  'The WebSocket handshake is not valid.',
  'Mend the client against RFC 6455, section 4.1; look for a proxy that does not pass Upgrade.',
);
export const ROUTE = peer(
  'HF_ROUTE',
  'No route leads there.',
  'Check host and path against the routes of the gateway.',
);
export const ADDRESS_LIMIT = peer(
  'HF_ADDRESS_LIMIT',
  'There are too many connections from this address.',
  'Close some, or raise limits.connectionsPerAddress; behind a proxy, name it in trustedProxies.',
);
export const PROXY_HEADER = peer(
  'HF_PROXY_HEADER',
  'A connection did not begin with a PROXY protocol header.',
  'Let the balancer send one, or switch proxyProtocol off.',
);
export const POD_NONE = environment(
  'HF_POD_NONE',
  'No pod takes connections.',
  'See the state of the pods in the admin API, and their logs.',
  'later',
);
export const POD_UNREACHABLE = environment(
  'HF_POD_UNREACHABLE',
  'No connection to a pod could be made.',
  'See the log of the gateway and of the pod.',
);
export const POD_SLOW = environment(
  'HF_POD_SLOW',
  'The pod did not answer in time.',
  'Look at the pod, or raise connectMs or readMs of the route.',
);
export const POD_ANSWER = environment(
  'HF_POD_ANSWER',
  'The pod answered what is not valid.',
  'Mend the pod; it must speak HTTP/1.1 and RFC 6455.',
);
export const POD_LOST = environment(
  'HF_POD_LOST',
  'The connection to the pod was lost.',
  'Connect again; another pod takes over. See the log of the pod.',
  'restart',
);
export const MOVED_ON = environment(
  'HF_MOVED_ON',
  'The connection is to be moved: its pod drains, the gateway ends, or it is old enough.',
  'Connect again, at once.',
  'restart',
);
export const IDLE = environment(
  'HF_IDLE',
  'Nothing moved in either direction for readMs.',
  'Ping more often than readMs, or raise it for this route.',
);
export const ADMIN_TOKEN = peer(
  'HF_ADMIN_TOKEN',
  'The admin API needs its token.',
  'Send Authorization: Bearer with the content of the token file.',
);
export const CERTIFICATE = caller(
  'HF_CERTIFICATE',
  'A certificate cannot be used.',
  'Give a readable certificate chain and its key, both in PEM.',
);
export const POD_PROTOCOL = environment(
  'HF_POD_PROTOCOL',
  'Another pod has agreed to another subprotocol than the client has.',
  'Let all pods of a route choose the same; connect again.',
  'restart',
);
export const HOLD_FULL = environment(
  'HF_HOLD_FULL',
  'More waits for a pod than hold.bufferBytes.',
  'Raise it, let pods start faster, or let clients say less meanwhile.',
  'later',
);
