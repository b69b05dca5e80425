import type { Environment, Route } from '@holdfast/policy';
import type { Admission } from './admission.js';
import type { Clock } from './clock.js';
import type { Carrier, ExchangeLimits } from './exchange.js';
import type { Pool, Sticky } from './pool/index.js';
import { Router } from './router.js';
import { TrustedProxies } from './trust.js';
import type { Visit } from './visit.js';

/** All that is read from the policy, made ready. A reload replaces it as a whole; what is under way keeps what it began with. */
export interface Settings {
  readonly environment: Environment;
  readonly router: Router;
  readonly proxies: TrustedProxies;
  readonly limits: ExchangeLimits & { readonly bodyBytes: number };
}

/** Throws `HF_OPTION` for what cannot be. */
export function settingsOf(environment: Environment): Settings {
  const { routes, gateway, limits, connect, keepalive } = environment;
  return {
    environment,
    router: new Router(routes),
    proxies: new TrustedProxies(gateway.trustedProxies),
    limits: {
      headerBytes: limits.headerBytes,
      bodyBytes: limits.bodyBytes,
      messageBytes: limits.messageBytes,
      handshakeMs: connect.handshakeMs,
      closeMs: connect.closeMs,
      pingMs: keepalive.plainPingMs,
      deadMs: keepalive.plainPongMs,
    },
  };
}

/** What the parts of a gateway share. */
export interface Context {
  readonly clock: Clock;
  /** 0 to 1, for jitter. */
  random(): number;
  /** Replaced by a reload. */
  readonly settings: Settings;
  readonly admission: Admission;
  /** The gateway ends: connections are not kept for another request. */
  readonly isDraining: boolean;
  poolOf(route: Route): Pool;
  stickyOf(route: Route): Sticky;
  carrierOf(route: Route, protocols: readonly string[]): Carrier;
  /** A request or a WebSocket is over. `route` is missing where it was refused before one was found or entered. */
  finished(visit: Visit, route: Route | undefined): void;
}
