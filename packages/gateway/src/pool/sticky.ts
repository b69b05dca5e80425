import type { IncomingHttpHeaders } from 'node:http';
import type { Route, Stickiness } from '@holdfast/policy';
import { addressKey } from './address-key.js';
import { CookieKeys } from './cookie-keys.js';
import type { Pod } from './member.js';
import type { Affinity } from './order.js';
import { StickyCookie } from './sticky-cookie.js';

/** A session may go anywhere when its pod has this much more than its share: its state is in the store. */
const SESSION_MAX_LOAD = 1.25;

/** What of a request may decide where it goes. */
export interface Asking {
  /** Path and query. */
  readonly url?: string | undefined;
  readonly headers: IncomingHttpHeaders;
  /** The client's real address, behind trusted proxies. */
  readonly clientAddress: string;
}

/** Where a request goes, and what the answer is to carry so that the next one goes there too. */
export interface Stuck {
  readonly affinity: Affinity;
  /** The value of a `Set-Cookie`, once it is known which pod it was: for the 101 as for any other answer. */
  readonly cookieFor?: (pod: Pod) => string | undefined;
}

/** The stickiness of a route. `keys` sign cookies; without them one is drawn that only this process knows. */
export class Sticky {
  readonly #stickiness: Stickiness;
  readonly #cookie: StickyCookie | undefined;

  constructor(stickiness: Stickiness, keys?: CookieKeys) {
    this.#stickiness = stickiness;
    if (stickiness.by === 'cookie') this.#cookie = new StickyCookie(stickiness.cookie, keys ?? CookieKeys.own);
  }

  /** Where this request goes. `pods` are those of the pool. */
  ask({ url = '', headers, clientAddress }: Asking, pods: Iterable<Pod>): Stuck {
    const stickiness = this.#stickiness;
    switch (stickiness.by) {
      case 'none':
        return { affinity: { balance: stickiness.balance } };
      case 'ip':
        return keyed(addressKey(clientAddress, stickiness.prefix), stickiness.maxLoad);
      case 'session':
        return keyed(sessionOf(url), stickiness.maxLoad ?? SESSION_MAX_LOAD);
      case 'header':
        return keyed(headers[stickiness.header.toLowerCase()]?.toString(), stickiness.maxLoad);
      case 'cookie': {
        const { affinity, answer } = (this.#cookie as StickyCookie).read(headers.cookie, pods);
        return { affinity: { ...affinity, maxLoad: stickiness.maxLoad }, cookieFor: answer };
      }
    }
  }
}

/** The stickiness of each route, with the keys of its file. Throws `HF_COOKIE_KEYS`. */
export const stickiesOf = (routes: readonly Route[]): [Route, Sticky][] =>
  routes.map((route) => {
    const { stickiness } = route;
    const keyFile = stickiness.by === 'cookie' ? stickiness.cookie.keyFile : undefined;
    return [route, new Sticky(stickiness, keyFile === undefined ? undefined : CookieKeys.read(keyFile))];
  });

const keyed = (key: string | undefined, maxLoad: number | undefined): Stuck => ({
  affinity: { key: key === '' ? undefined : key, maxLoad, balance: 'least' },
});

/** The public id that a holdfast client puts into the URL when it comes back; see PROTOCOL.md. */
function sessionOf(url: string): string | undefined {
  const query = url.indexOf('?');
  return query < 0 ? undefined : (new URLSearchParams(url.slice(query)).get('hf') ?? undefined);
}
