import { randomBytes } from 'node:crypto';
import type { CookiePolicy } from '@holdfast/policy';
import type { CookieKeys } from './cookie-keys.js';
import type { Pod } from './member.js';
import type { Affinity } from './order.js';

/** A signed cookie has 22 + 1 + 11 + 1 + 22 characters; what is longer was not made here. */
const LENGTH_MAX = 64;
/** Cookies of the same name that are looked at: a browser sends several when their paths or domains differ. */
const SAME_NAME_MAX = 4;

/** What a cookie says: `KEY.POD`, signed. */
interface Ticket {
  readonly key: string;
  /** Tag of the pod that it was given by. */
  readonly tag: string;
  /** Which of the secrets has signed it. */
  readonly signedBy: number;
}

/** The stickiness of a cookie: reads it, and says when a client needs a new one. */
export class StickyCookie {
  readonly #policy: CookiePolicy;
  readonly #keys: CookieKeys;

  constructor(policy: CookiePolicy, keys: CookieKeys) {
    this.#policy = policy;
    this.#keys = keys;
  }

  /** Where the bearer of these cookies goes, and the `Set-Cookie` of the answer once it is known where it went. */
  read(
    header: string | undefined,
    pods: Iterable<Pod>,
  ): { affinity: Affinity; answer: (pod: Pod) => string | undefined } {
    const ticket = this.#ticketOf(header);
    const key = ticket?.key ?? randomBytes(16).toString('base64url');
    const home = ticket && Array.from(pods).find(({ id }) => this.#keys.tag(id, ticket.signedBy) === ticket.tag);
    const isGood = ticket !== undefined && ticket.signedBy === 0 && (home !== undefined || !this.#policy.persistent);
    return {
      affinity: { key, pod: this.#policy.persistent ? home?.id : undefined },
      // A home that only rests or drains stays home. One that is not in the pool any more is replaced.
      answer: (pod) => (isGood ? undefined : this.#cookie(key, (home ?? pod).id)),
    };
  }

  #ticketOf(header = ''): Ticket | undefined {
    for (const value of valuesOf(header, this.#policy.name)) {
      const verified = value.length > LENGTH_MAX ? undefined : this.#keys.verify(value);
      const [key, tag] = verified?.text.split('.') ?? [];
      if (verified !== undefined && key !== undefined && tag !== undefined) return { key, tag, signedBy: verified.key };
    }
    return undefined;
  }

  #cookie(key: string, podId: string): string {
    const { name, path, maxAgeMs, domain, httpOnly, secure, sameSite, partitioned } = this.#policy;
    const attributes = [
      `${name}=${this.#keys.sign(`${key}.${this.#keys.tag(podId)}`)}`,
      `Path=${path}`,
      domain !== undefined && `Domain=${domain}`,
      maxAgeMs !== undefined && `Max-Age=${Math.floor(maxAgeMs / 1_000)}`,
      httpOnly && 'HttpOnly',
      secure && 'Secure',
      `SameSite=${sameSite[0]?.toUpperCase()}${sameSite.slice(1)}`,
      partitioned === true && 'Partitioned',
    ];
    return attributes.filter((attribute) => attribute !== false).join('; ');
  }
}

function valuesOf(header: string, name: string): string[] {
  const pairs = header.split(';').map((pair) => pair.trim());
  const values = pairs.filter((pair) => pair.startsWith(`${name}=`)).map((pair) => pair.slice(name.length + 1));
  return values.slice(0, SAME_NAME_MAX);
}
