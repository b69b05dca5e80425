import { CircuitBreaker, SUBPROTOCOL, type BreakerOptions } from '@holdfast/protocol';

/** Characters of a subprotocol: those of an HTTP token (RFC 6455, section 4.1). */
const TOKEN = /^[!#$%&'*+\-.^_`|~\w]+$/;

const syntaxError = (message: string): DOMException => new DOMException(message, 'SyntaxError');

/** Reads the URL that a constructor was given, as the WHATWG standard says: absolute, ws or wss, without a fragment. */
export function parseUrl(given: string | URL, base: string | undefined): URL {
  let url: URL;
  try {
    url = new URL(given, base);
  } catch {
    throw syntaxError(`The URL '${String(given)}' is invalid.`);
  }
  // Assigning a scheme keeps the rest, but for a default port, which http and ws share.
  url.protocol = url.protocol.replace(/^http/, 'ws');
  if (!/^wss?:$/.test(url.protocol)) throw syntaxError(`The scheme of the URL must be ws or wss, not ${url.protocol}`);
  if (url.href.includes('#')) throw syntaxError(`The URL '${url.href}' has a fragment.`);
  return url;
}

/** Reads the subprotocols that a constructor was given: one, or several as an iterable object. */
export function parseProtocols(given: unknown): string[] {
  const isList = typeof given === 'object' && given !== null && Symbol.iterator in given;
  const list = isList ? (given as Iterable<unknown>) : given === undefined ? [] : [given];
  const protocols = Array.from(list, String);
  // Two that differ only in case are refused too, as browsers do.
  const distinct = new Set(protocols.map((protocol) => protocol.toLowerCase()));
  const valid = protocols.every((protocol) => TOKEN.test(protocol) && !protocol.startsWith(SUBPROTOCOL));
  if (!valid || distinct.size < protocols.length) {
    throw syntaxError(`The subprotocols '${protocols.join(', ')}' are invalid or not distinct.`);
  }
  return protocols;
}

/** The URL to dial: with the session's public id, if it has one, so that a balancer can find its pod. */
export function urlOf(url: URL, session: string | undefined): string {
  if (session === undefined) return url.href;
  const withSession = new URL(url);
  // Not `searchParams`, which would write the rest of the query anew.
  withSession.search += `${url.search ? '&' : '?'}hf=${session}`;
  return withSession.href;
}

export const isLoopback = (hostname: string): boolean => /^(?:(?:.+\.)?localhost|127\..+|\[::1\])$/.test(hostname);

/** Endpoints whose breaker is kept; the one used least recently goes first. A program talks to a handful. */
const BREAKERS_MAX = 64;
const breakers = new Map<string, CircuitBreaker>();

/** The breaker that all sockets of the process to one endpoint share, as far as they agree on its settings. */
export function breakerOf({ origin, pathname }: URL, options: BreakerOptions): CircuitBreaker {
  const key = `${origin}${pathname} ${options.failures} ${options.openMs}`;
  const breaker = breakers.get(key) ?? new CircuitBreaker(options);
  breakers.delete(key);
  breakers.set(key, breaker);
  for (const oldest of breakers.keys()) {
    if (breakers.size <= BREAKERS_MAX) break;
    breakers.delete(oldest);
  }
  return breaker;
}
