import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { DEFAULT_POLICY, errors, HoldfastError, isId, LIMITS, readPolicy, type Policy } from '@holdfast/protocol';
import { checkNames, type Store } from '@holdfast/store';
import type { ServerOptions as WsServerOptions } from 'ws';
import { DEFAULT_ADMISSION, type AdmissionOptions } from './admission.js';
import { systemClock, type Clock } from './clock.js';
import { checkDrainRequests, type DrainRequests } from './drain-requests.js';
import { DEFAULT_KEEPALIVE, type KeepaliveOptions } from './keepalive.js';
import { rotationOptions, type RotationOptions } from './rotation.js';

/** The options of `ws`'s WebSocketServer, and those of the sessions on top. */
export interface ServerOptions extends Omit<WsServerOptions, 'WebSocket'> {
  /** Where sessions and messages are kept. Default: in the memory of this process, so that they end with it. */
  store?: Store;
  /**
   * What the name of this process among those that share the store begins with, such as its host; at most 64 of `A-Za-z0-9_.:-`. Default:
   * `pod`. The name, `wss.pod`, ends in `run`; of a long beginning it has the end.
   */
  pod?: string;
  /** For whoever names each run itself: what distinguishes this one from those before it, at most 16 of the same signs. Default: random. */
  run?: string;
  /** The numbers that clients are told; see `Policy` for units and defaults. `maxPayload` sets `maxPayloadBytes`. */
  policy?: Partial<Policy>;
  /** Bounds of admission; see `AdmissionOptions`. */
  admission?: Partial<AdmissionOptions>;
  /** RFC 6455 pings of clients without holdfast.v1; see `KeepaliveOptions`. */
  keepalive?: Partial<KeepaliveOptions>;
  /**
   * Origins that browsers may connect from, as `https://app.example.com`. Default: the host that the request was sent to. `'*'`
   * lets every page of the web connect as whoever looks at it. Clients that send no Origin are not browsers and not checked.
   */
  allowedOrigins?: readonly (string | RegExp)[] | '*';
  /** Longest wait for the first frame, in milliseconds. Default 15,000. */
  handshakeMs?: number;
  /** Longest wait for an answer to a bye, in milliseconds. Default 10,000. */
  closeMs?: number;
  /** A write that the network does not take for this long ends a transport, in milliseconds. Default 10,000. */
  writeMs?: number;
  /** Longest run of an asynchronous handler, in milliseconds. Default 300,000. */
  executionMs?: number;
  /** How long sessions stay with a pod that is not heard of, in milliseconds. Default 10,000. */
  leaseMs?: number;
  /** How often sessions that are past their life are cleaned up, in milliseconds. Default: three times in each lease. */
  cleanupMs?: number;
  /** Bound on what waits for the store, in bytes; `send` and `publish` throw HF_BACKLOG beyond it. Default 64 MiB. */
  maxPendingBytes?: number;
  /** Planned rotation: `maxAgeMs` of connections, `ageJitter`, `movesPerSecond`; see `RotationOptions`. Default: none. */
  rotation?: Partial<RotationOptions>;
  /** Answers `POST /drain` beside `/healthz` and `/readyz`; see `DrainRequests`. Default: it is left to the application. */
  drainRequests?: DrainRequests;
  /**
   * Checks the `auth` string that a client presents in its first frame, at every attach. Default: none is asked for.
   * `verifyClient` is called at every attach as well.
   */
  authenticate?: (auth: string | undefined, request: IncomingMessage) => boolean | Promise<boolean>;
  /** For tests. */
  clock?: Clock;
}

/** The options of sessions with their defaults. */
export interface SessionOptions {
  readonly policy: Policy;
  readonly admission: AdmissionOptions;
  readonly keepalive: KeepaliveOptions;
  readonly handshakeMs: number;
  readonly closeMs: number;
  readonly writeMs: number;
  readonly executionMs: number;
  readonly leaseMs: number;
  readonly cleanupMs: number;
  readonly maxPendingBytes: number;
  readonly rotation: RotationOptions | undefined;
  readonly clock: Clock;
}

const NAME_MAX = 64;
const RUN_MAX = 16;

/**
 * The name under which a server holds its sessions. One that starts anew has another: under the old one, what the run before has left would
 * look alive, and nobody would adopt or end it.
 */
export function nameOfRun({ pod = 'pod', run = randomBytes(6).toString('hex') }: ServerOptions): string {
  if (!isId(pod)) throw new HoldfastError(errors.OPTION, `pod is ${JSON.stringify(pod)}`);
  if (!isId(run) || run.length > RUN_MAX) throw new HoldfastError(errors.OPTION, `run is ${JSON.stringify(run)}`);
  return `${pod.slice(run.length + 1 - NAME_MAX)}-${run}`;
}

/** Of the options themselves unknown ones are let be, as `ws` does: what is its own is not for us to list. */
function checkAllNames({
  policy = {},
  admission = {},
  keepalive = {},
  rotation = {},
  drainRequests = {},
}: ServerOptions): void {
  checkNames('policy', policy, Object.keys(DEFAULT_POLICY));
  checkNames('policy.window', policy.window ?? {}, Object.keys(DEFAULT_POLICY.window));
  checkNames('admission', admission, Object.keys(DEFAULT_ADMISSION));
  checkNames('admission.breaker', admission.breaker ?? {}, Object.keys(DEFAULT_ADMISSION.breaker));
  checkNames('keepalive', keepalive, Object.keys(DEFAULT_KEEPALIVE));
  checkNames('rotation', rotation, ['maxAgeMs', 'ageJitter', 'movesPerSecond']);
  checkNames('drainRequests', drainRequests, ['token', 'drain']);
}

export function sessionOptions(options: ServerOptions): SessionOptions {
  checkAllNames(options);
  const policy: Policy = {
    ...DEFAULT_POLICY,
    ...(options.maxPayload !== undefined && { maxPayloadBytes: options.maxPayload }),
    ...options.policy,
  };
  const times = {
    handshakeMs: options.handshakeMs ?? 15_000,
    closeMs: options.closeMs ?? 10_000,
    writeMs: options.writeMs ?? 10_000,
    executionMs: options.executionMs ?? 300_000,
    leaseMs: options.leaseMs ?? 10_000,
    // Shorter than a lease is whenever the lease is renewed.
    cleanupMs: options.cleanupMs ?? 1,
    maxPendingBytes: options.maxPendingBytes ?? 67_108_864,
  };
  const admission = { ...DEFAULT_ADMISSION, ...options.admission };
  const keepalive = { ...DEFAULT_KEEPALIVE, ...options.keepalive };
  const numbers = { ...policy, ...policy.window, ...times, ...admission, ...admission.breaker };
  for (const [name, value] of [...Object.entries(numbers), ...Object.entries(keepalive)]) {
    if (typeof value === 'number') positive(name, value);
  }
  const pairs: [string, number, string, number][] = [
    ['pingMs', policy.pingMs, 'deadMs', policy.deadMs],
    ['backgroundPingMs', policy.backgroundPingMs, 'backgroundDeadMs', policy.backgroundDeadMs],
    ['keepalive.pingMs', keepalive.pingMs, 'keepalive.pongMs', keepalive.pongMs],
  ];
  // A ping needs time to be answered, or every connection is dead as soon as it is idle.
  for (const [ping, pingMs, dead, deadMs] of pairs) {
    if (deadMs <= pingMs) throw new HoldfastError(errors.OPTION, `${dead} must be more than ${ping}`);
  }
  if (options.drainRequests) checkDrainRequests(options.drainRequests);
  // Clients refuse a welcome with a policy that makes no sense.
  if (!readPolicy(policy)) throw new HoldfastError(errors.OPTION, `policy is ${JSON.stringify(policy)}`);
  return {
    policy,
    admission,
    keepalive,
    ...times,
    rotation: rotationOptions(options.rotation),
    clock: options.clock ?? systemClock,
  };
}

/** The longest that a timer of Node waits: a longer one would fire at once. */
const TIMER_MS = 2_147_483_647;

function positive(name: string, value: number): void {
  const isTooLong = name.endsWith('Ms') && value > TIMER_MS;
  if (!Number.isSafeInteger(value) || value <= 0 || isTooLong) {
    throw new HoldfastError(errors.OPTION, `${name} is ${value}`);
  }
}

/** What `ws` must accept so that our own limit, which knows the header, is the one that counts. */
export const wsMaxPayload = (policy: Policy): number => policy.maxPayloadBytes + LIMITS.headerBytes;
