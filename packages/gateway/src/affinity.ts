import type { Route } from '@holdfast/policy';
import type { Affinity } from './pool/index.js';
import type { Visit } from './visit.js';

/** Where a request would like to go, by the stickiness of its route. */
export function affinityOf({ target, clientAddress, request }: Visit, { stickiness }: Route): Affinity {
  switch (stickiness.by) {
    case 'none':
      return { balance: stickiness.balance };
    case 'ip':
      return { key: clientAddress };
    case 'session':
      return { key: sessionOf(target) };
    case 'header':
      return { key: [request.headers[stickiness.header.toLowerCase()]].flat()[0] };
    case 'cookie':
      return {};
  }
}

/** The public id of a session that comes back. A new one may go anywhere. */
const sessionOf = (target: string): string | undefined => /[?&]hf=([^&#]{1,128})/.exec(target)?.[1];
