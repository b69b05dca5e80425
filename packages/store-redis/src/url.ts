import { readFileSync } from 'node:fs';
import { errors, HoldfastError } from '@holdfast/store';

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** Where a store is, as its URL says it. */
export interface Place {
  readonly kind: 'one' | 'cluster' | 'sentinel';
  /** The server; some nodes of the cluster, which name the others; or the sentinels. */
  readonly addresses: readonly Address[];
  readonly isTls: boolean;
  readonly username?: string;
  readonly password?: string;
  readonly database?: number;
  /** What the sentinels call the master. */
  readonly master?: string;
  /** What every key begins with. */
  readonly prefix?: string;
  /** A file with the certificates of those who may sign for the server. */
  readonly ca?: string;
}

const FORM = /^redis(s?)(\+cluster|\+sentinel)?:\/\/([^/?#]*)(?:\/([^?#]*))?(?:\?([^#]*))?$/s;
const PORT = 6379;
const SENTINEL_PORT = 26_379;

/** How each kind is written; an error says it. */
const EXAMPLES = {
  one: 'redis://user:password@host:6379/0',
  cluster: 'redis+cluster://user:password@host1:7000,host2:7000',
  sentinel: 'redis+sentinel://user:password@host1:26379,host2:26379/master-name',
} as const;

/**
 * Reads `redis://`, `redis+cluster://` and `redis+sentinel://`, or `rediss` in place of `redis` for TLS. Nothing of the URL is repeated in an error:
 * it may hold a password.
 *
 * @throws HF_STORE_URL
 */
export function parseRedisUrl(url: string): Place {
  const [, tls, plus, authority, path = '', query = ''] = FORM.exec(url) ?? [];
  if (authority === undefined) throw wrong('it is no URL of a Redis', 'one');
  const kind = plus === undefined ? 'one' : (plus.slice(1) as 'cluster' | 'sentinel');
  const at = authority.lastIndexOf('@');
  const addresses = authority
    .slice(at + 1)
    .split(',')
    .map((text) => parseAddress(text, kind));
  if (kind === 'one' && addresses.length > 1) {
    throw wrong('redis:// is one server; several are a cluster or sentinels', 'cluster');
  }
  return {
    kind,
    addresses,
    isTls: tls === 's',
    ...parseCredentials(at < 0 ? '' : authority.slice(0, at), kind),
    ...parsePath(path, kind),
    ...parseQuery(query, kind),
  };
}

/** Options of the `redis` client for a server of this place. */
export function clientOptionsOf({ isTls, username, password, database, ca }: Place, { host, port }: Address) {
  return {
    socket: { host, port, ...(isTls && { tls: true as const, ...(ca !== undefined && { ca: readCa(ca) }) }) },
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(database !== undefined && { database }),
  };
}

function parseAddress(text: string, kind: Place['kind']): Address {
  const [, bracketed, name, digits] = /^(?:\[([\da-f:.]+)\]|([^:[\]\s]+))(?::(\d{1,5}))?$/i.exec(text) ?? [];
  const host = bracketed ?? name;
  const port = digits === undefined ? (kind === 'sentinel' ? SENTINEL_PORT : PORT) : Number(digits);
  if (host === undefined || port < 1 || port > 65_535) {
    throw wrong('a host is missing, or is not HOST, HOST:PORT or [IPV6]:PORT', kind);
  }
  return { host, port };
}

function parseCredentials(text: string, kind: Place['kind']): Pick<Place, 'username' | 'password'> {
  if (text === '') return {};
  const colon = text.indexOf(':');
  const [username, password] = colon < 0 ? [text, ''] : [text.slice(0, colon), text.slice(colon + 1)];
  try {
    return {
      ...(username !== '' && { username: decodeURIComponent(username) }),
      ...(password !== '' && { password: decodeURIComponent(password) }),
    };
  } catch {
    throw wrong('user or password is not percent-encoded: write %25 for a percent sign', kind);
  }
}

function parsePath(path: string, kind: Place['kind']): Pick<Place, 'database' | 'master'> {
  const [, master = '', number = ''] = (kind === 'sentinel' ? /^([^/]+)\/?(.*)$/s : /^()(.*)$/s).exec(path) ?? [];
  if (kind === 'sentinel' && master === '')
    throw wrong('the name that the sentinels have for the master is missing', kind);
  if (!/^\d{0,6}$/.test(number)) throw wrong('the number of the database is not a number', kind);
  if (kind === 'cluster' && Number(number) > 0) throw wrong('a cluster has no other database than 0', kind);
  return { ...(kind === 'sentinel' && { master }), ...(number !== '' && { database: Number(number) }) };
}

function parseQuery(query: string, kind: Place['kind']): Pick<Place, 'prefix' | 'ca'> {
  const found: Record<string, string> = {};
  for (const [name, value] of new URLSearchParams(query)) {
    if ((name !== 'prefix' && name !== 'ca') || value === '') {
      throw wrong('behind ? there may be prefix=... and ca=/file.pem, and nothing else', kind);
    }
    // What stands in braces decides on which node of a cluster a key lies.
    if (name === 'prefix' && /[{}]/.test(value)) throw wrong('a prefix has no braces', kind);
    found[name] = value;
  }
  return found;
}

function readCa(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new HoldfastError(errors.STORE_OPEN, `the file of ca= cannot be read: ${path}`, { cause });
  }
}

function wrong(why: string, kind: Place['kind']): HoldfastError {
  return new HoldfastError(errors.STORE_URL, `${why}, as in ${EXAMPLES[kind]}`);
}
