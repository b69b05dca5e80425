import { isBranch, isLeaf, valueIn, type Node } from './document.js';
import { COOKIE } from './keys.js';
import type { CookiePolicy, Stickiness } from './policy.js';
import type { Reading } from './reading.js';

const WORDS: Readonly<Record<string, Stickiness>> = {
  none: { by: 'none', balance: 'round-robin' },
  'round-robin': { by: 'none', balance: 'round-robin' },
  least: { by: 'none', balance: 'least' },
  ip: { by: 'ip' },
  session: { by: 'session' },
};

const ROUND_ROBIN: Stickiness = { by: 'none', balance: 'round-robin' };

/** Names of headers and cookies (RFC 9110, section 5.6.2). */
const TOKEN = /^[\w!#$%&'*+.^`|~-]{1,128}$/;

/** What a node says about stickiness; without a node, nothing sticks. */
export function stickinessOf(reading: Reading, node: Node | undefined, field: string): Stickiness {
  if (node === undefined) {
    reading.sources.set(field, { from: 'default' });
    return ROUND_ROBIN;
  }
  reading.note(field, node.at);
  if (isLeaf(node)) return WORDS[String(node.value)] ?? ROUND_ROBIN;
  const ways = ['header', 'cookie', 'by'].filter((key) => isBranch(node) && node.entries.has(key));
  const cookie = isBranch(node) ? node.entries.get('cookie')?.node : undefined;
  if (ways.length !== 1) {
    const message = ways.length === 0 ? 'stickiness is empty' : `stickiness has ${ways.join(' and ')}`;
    reading.problem(node.at, field, message, { expected: 'one of header, cookie, by' });
  }
  const by = valueIn(node, 'by');
  const prefix = valueIn(node, 'prefix');
  if (prefix !== undefined && by !== 'ip') reading.problem(node.at, field, 'prefix is a matter of `by: ip` alone');
  const load = valueIn(node, 'maxLoad');
  const bound = typeof load === 'number' ? { maxLoad: load } : {};
  if (cookie) return { by: 'cookie', cookie: cookieOf(reading, cookie, field), ...bound };
  if (by === 'session') return { by, ...bound };
  if (by === 'ip') return { by, ...(prefix === 24 && { prefix }), ...bound };
  const header = String(valueIn(node, 'header'));
  if (!TOKEN.test(header)) reading.problem(node.at, field, `${JSON.stringify(header)} cannot be the name of a header`);
  return { by: 'header', header, ...bound };
}

function cookieOf(reading: Reading, node: Node, field: string): CookiePolicy {
  const named = isBranch(node) ? node.entries.get('name')?.node : node;
  const cookie = {
    name: isLeaf(named) ? String(named.value) : '',
    ...reading.section(`${field}.cookie`, node, COOKIE),
  };
  const { name, domain, path, secure } = cookie;
  if (!TOKEN.test(name)) reading.problem(node.at, field, `${JSON.stringify(name)} cannot be the name of a cookie`);
  if (domain !== undefined && !/^\.?[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/.test(domain)) {
    reading.problem(node.at, field, `${JSON.stringify(domain)} cannot be the domain of a cookie`);
  }
  const isHostOnly = name.startsWith('__Host-');
  if ((isHostOnly && (domain !== undefined || path !== '/')) || (/^__(?:Host|Secure)-/.test(name) && !secure)) {
    const expected = isHostOnly ? 'secure, path / and no domain' : 'secure';
    reading.problem(node.at, field, `browsers refuse a cookie of the name ${name} like this`, { expected });
  }
  // Browsers drop it without a word, and with it the affinity.
  if (cookie.sameSite === 'none' && !cookie.secure) {
    reading.problem(node.at, field, 'browsers refuse a cookie with sameSite none that is not secure');
  }
  return cookie;
}
