import {
  DEFAULT_CLIENT_WINDOW,
  DEFAULT_CONNECT_LIMITS,
  HoldfastError,
  LIMITS,
  OPTION,
  PRESETS,
  type BreakerOptions,
  type ConnectLimits,
  type Window,
} from '@holdfast/protocol';
import { systemClock, type Clock } from './clock.js';
import type { Lifecycle } from './lifecycle.js';
import type { DetectedEnvironment, Environment, Platform } from './platform.js';
import type { Dial, WebSocketConstructor } from './transport.js';
import { webDial } from './web-transport.js';

/** What `ws` is given for each connection, in Node only: `headers`, `agent`, `ca`, `perMessageDeflate` and the rest of its options. */
export interface TransportOptions {
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly [option: string]: unknown;
}

/** The third argument of the constructor, or what `WebSocket.with` bakes in. All of it is optional. */
export interface WebSocketOptions extends Partial<ConnectLimits> {
  /**
   * Credentials for the server: sent in the first frame of every transport, never in a URL, at most 8 KiB. A function is asked
   * each time, so that it can give a token that is still valid. Default: none.
   */
  readonly auth?: string | (() => string | undefined);
  /**
   * Bound, in bytes, on what was sent and is not acknowledged; what is waiting for a connection is part of it. `send` throws
   * `HF_BUFFER_FULL` rather than cross it. Default 16 MiB: a minute of a busy connection, a fraction of a phone's memory.
   */
  readonly maxBufferedBytes?: number;
  /** What the server may send beyond our acknowledgements. Default 1,024 messages, 4 MiB. */
  readonly window?: Window;
  /**
   * The preset of `breaker` and `maxAttempts`. Default: in Node what `ENVIRONMENT`, `NODE_ENV` or the variables of a hosting
   * platform say, else development; in browsers development for a server on this machine, else production.
   */
  readonly environment?: Environment;
  /** Failed attempts in a row after which the socket closes. Default by environment: staging 5, else `Infinity`. */
  readonly maxAttempts?: number;
  /**
   * After how many `failures` in a row, by all sockets to this endpoint, attempts stop for `openMs`. Default by environment:
   * development 50 and 1 s, staging 3 and 15 s, production 5 and 60 s.
   */
  readonly breaker?: BreakerOptions;
  /** Whether to be a plain WebSocket where the server does not speak holdfast.v1. Default true. */
  readonly fallback?: boolean;
  /**
   * Whether the URL carries the session's public id (`?hf=...`) when it attaches again, for balancers to route on. It is no
   * secret: attaching takes the token too. Default true.
   */
  readonly sessionInUrl?: boolean;
  /** The constructor of transports. Default: the browser's own, and `ws` in Node. */
  readonly WebSocket?: WebSocketConstructor;
  /** Options of `ws` for each connection. Node only. */
  readonly transport?: TransportOptions;
  /** Where to learn of hidden tabs, sleep and a lost network; false for nowhere. Default: the page, in a browser. */
  readonly lifecycle?: Lifecycle | false;
  /** Time and timers. Default: the machine's. */
  readonly clock?: Clock;
  /** Numbers in [0, 1) for backoff and spreading. Default `Math.random`. */
  readonly random?: () => number;
}

/** The options of one socket with everything filled in. */
export interface Settings extends ConnectLimits {
  readonly auth: (() => string | undefined) | undefined;
  readonly maxBufferedBytes: number;
  readonly window: Window;
  readonly environment: DetectedEnvironment;
  readonly maxAttempts: number;
  readonly breaker: BreakerOptions;
  readonly fallback: boolean;
  readonly sessionInUrl: boolean;
  readonly clock: Clock;
  readonly random: () => number;
  readonly lifecycle: Lifecycle | false | undefined;
  readonly dial: Dial;
}

type Check = (value: unknown) => boolean;

const isPositive: Check = (value) => typeof value === 'number' && value > 0;
const isMs: Check = (value) => isPositive(value) && Number.isFinite(value);
const isCount: Check = (value) => isPositive(value) && Number.isSafeInteger(value);
const isBoolean: Check = (value) => typeof value === 'boolean';
const isFunction: Check = (value) => typeof value === 'function';
const isObject: Check = (value) => typeof value === 'object' && value !== null;
/** An object whose members of these names pass the check. */
const has =
  (check: Check, ...names: string[]): Check =>
  (value) =>
    isObject(value) && names.every((name) => check((value as Record<string, unknown>)[name]));

const CHECKS: { readonly [Option in keyof Required<WebSocketOptions>]: Check } = {
  auth: (value) => isFunction(value) || (typeof value === 'string' && value.length <= LIMITS.authBytes),
  maxBufferedBytes: isPositive,
  window: has(isCount, 'messages', 'bytes'),
  connectMs: isMs,
  progressiveMs: (value) => Array.isArray(value) && value.every(isMs),
  handshakeMs: isMs,
  pingMs: isMs,
  closeMs: isMs,
  environment: (value) => Object.hasOwn(PRESETS, value as Environment),
  maxAttempts: (value) => value === Infinity || isCount(value),
  breaker: has(isPositive, 'failures', 'openMs'),
  fallback: isBoolean,
  sessionInUrl: isBoolean,
  WebSocket: isFunction,
  transport: isObject,
  lifecycle: (value) => value === false || isObject(value),
  clock: has(isFunction, 'now', 'setTimeout', 'clearTimeout'),
  random: isFunction,
};

/** Refuses an option that is unknown or impossible. One that is undefined counts as absent, and is left out of what is returned. */
export function checkOptions(options: WebSocketOptions): WebSocketOptions {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  for (const [name, value] of given) {
    const check = Object.hasOwn(CHECKS, name) && CHECKS[name as keyof WebSocketOptions];
    if (check && check(value)) continue;
    throw new HoldfastError(OPTION, check ? `${name}: ${String(value)}` : `${name} is unknown`);
  }
  return Object.fromEntries(given);
}

export function settle(options: WebSocketOptions, platform: Platform, url: URL): Settings {
  const { auth, environment: name, WebSocket: Transport, ...given } = checkOptions(options);
  const environment = name ? { name, from: 'options' } : platform.environment(url);
  const settings = {
    ...DEFAULT_CONNECT_LIMITS,
    ...platform.limits(),
    ...PRESETS[environment.name],
    maxBufferedBytes: 16_777_216,
    window: DEFAULT_CLIENT_WINDOW,
    fallback: true,
    sessionInUrl: true,
    clock: systemClock,
    random: Math.random,
    lifecycle: platform.lifecycle(),
    ...given,
    environment,
    auth: typeof auth === 'function' ? reporting(auth) : auth === undefined ? auth : () => auth,
  };
  return { ...settings, dial: Transport ? webDial(Transport) : platform.dial(settings) };
}

/** A function of the application that fails is reported as a failing listener would be, and counts as having said nothing. */
const reporting = (auth: () => string | undefined) => () => {
  try {
    return auth();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
    return undefined;
  }
};
