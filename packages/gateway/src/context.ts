import type { Environment, Route } from '@holdfast/policy';
import type { Carrier, ExchangeLimits } from './exchange.js';
import type { Clock } from './clock.js';
import type { Pool } from './pool/index.js';
import { Router } from './router.js';
import { TrustedProxies } from './trust.js';

/** All that is read from the policy, made ready. A reload replaces it as a whole; what is under way keeps what it began with. */
export interface Settings {
  readonly environment: Environment;
  readonly router: Router;
  readonly proxies: TrustedProxies;
  readonly limits: ExchangeLimits;
}

/** Throws `HF_OPTION` for what cannot be. */
export function settingsOf(environment: Environment): Settings {
  const { routes, gateway, limits, connect } = environment;
  return {
    environment,
    router: new Router(routes),
    proxies: new TrustedProxies(gateway.trustedProxies),
    limits: {
      headerBytes: limits.headerBytes,
      messageBytes: limits.messageBytes,
      handshakeMs: connect.handshakeMs,
      closeMs: connect.closeMs,
    },
  };
}

/** What the parts of a gateway share. */
export interface Context {
  readonly clock: Clock;
  /** Replaced by a reload. */
  settings: Settings;
  poolOf(route: Route): Pool;
  carrierOf(route: Route, protocols: readonly string[]): Carrier;
}
