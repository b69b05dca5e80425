import type { IncomingMessage } from 'node:http';

/** The members of a header that is a list. */
export const listOf = (value: string | undefined): string[] =>
  value === undefined
    ? []
    : value
        .split(',')
        .map((member) => member.trim())
        .filter((member) => member !== '');

/** How often a header is there; Node joins or drops what comes twice. */
export function countOf({ rawHeaders }: IncomingMessage, name: string): number {
  let count = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) if (rawHeaders[i]?.toLowerCase() === name) count++;
  return count;
}

/** Headers that concern one connection alone (RFC 9110, section 7.6.1), and those that proxies have made up beside them. */
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
]);

interface Message {
  readonly rawHeaders: readonly string[];
  readonly headers: { readonly connection?: string | undefined };
}

/**
 * What of a message goes to the other side: name, value, name, value, in the order and the spelling in which it came. `without` (in lower
 * case) is for what is written anew.
 */
export function endToEnd({ rawHeaders, headers }: Message, without = ''): string[] {
  const named = new Set(listOf(headers.connection).map((name) => name.toLowerCase()));
  const kept: string[] = [];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    const lower = name.toLowerCase();
    if (lower !== without && !HOP_BY_HOP.has(lower) && !named.has(lower)) kept.push(name, rawHeaders[i + 1] as string);
  }
  return kept;
}
