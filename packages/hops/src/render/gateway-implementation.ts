import type { Environment, HopUse, Route, Stickiness } from '@holdfast/policy';
import { hopOf, optionOf } from './chain.js';
import type { Notes } from './target.js';
import type { Yaml } from './yaml.js';

/** One HTTPRoute: routes that are treated alike. Policies are attached to it by its name. */
export interface RouteGroup {
  readonly name: string;
  readonly kind: Route['kind'];
  readonly routes: readonly Route[];
  readonly first: Route;
}

/** Whoever implements the Gateway API in front of the pods, and what of it differs from the others. */
export interface Implementation {
  /** Kinds of hops that are this. */
  readonly kinds: readonly string[];
  /** Whether HTTPRoute timeouts mean anything to it. */
  readonly hasRouteTimeouts: boolean;
  /** Whether it sticks by policies of its own. One that does not needs `sessionPersistence` of the route. */
  sticksBy(stickiness: Stickiness, env: Environment): boolean;
  policies(env: Environment, groups: readonly RouteGroup[], notes: Notes): Yaml[];
}

/** Kinds of hops that are a gateway of the Gateway API, whoever implements it. */
const GATEWAYS = ['gateway-api', 'envoy-gateway', 'nginx-gateway-fabric', 'gcp-global-alb', 'gcp-regional-alb'];

export const gatewayHop = (env: Environment): HopUse | undefined => hopOf(env, ...GATEWAYS);

/** Name of the Gateway that routes are attached to. */
export const gatewayName = (env: Environment): string => optionOf(gatewayHop(env), 'gateway') ?? env.service.name;
