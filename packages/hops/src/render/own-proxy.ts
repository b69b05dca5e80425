import type { Environment, PodAddress, Stickiness } from '@holdfast/policy';
import { hasProxyProtocol, hopOf, optionOf, proxiesBefore } from './chain.js';
import { unsupported } from './target.js';

/** What proxies that somebody runs have in common: they listen, end TLS, dial pods and have to know who the client is. */
type OwnProxy = 'nginx' | 'haproxy' | 'envoy';

/** The port that it listens on: that of the hop, else the usual one. */
export const listenPort = (env: Environment, proxy: OwnProxy): number =>
  Number(optionOf(hopOf(env, proxy), 'port') ?? (env.tls ? 443 : 80));

/** The files of certificate and key; undefined without TLS. */
export function certificateOf(
  env: Environment,
  proxy: OwnProxy,
): { readonly certificate: string; readonly key: string } | undefined {
  if (!env.tls) return undefined;
  const { certificate, key } = env.tls;
  if (certificate !== undefined && key !== undefined) return { certificate, key };
  const instead = 'set tls.certificate and tls.key, or leave tls out where another hop ends it';
  throw unsupported(proxy, 'TLS without files', instead);
}

/** Whether an address is that of a client, and not of a proxy in front that all clients share. */
export const knowsAddress = (env: Environment, proxy: OwnProxy): boolean =>
  proxiesBefore(env, proxy).length === 0 || env.gateway.trustedProxies.length > 0 || hasProxyProtocol(env, proxy);

const namesBefore = (env: Environment, proxy: OwnProxy): string =>
  proxiesBefore(env, proxy)
    .map(({ name }) => name)
    .join(' and ');

/** Where {@link knowsAddress} is false: a limit by address would hit everybody at once. */
export const withoutAddressLimit = (env: Environment, proxy: OwnProxy): string =>
  `limits.connectionsPerAddress is not rendered: behind ${namesBefore(env, proxy)} clients share addresses; name its networks in gateway.trustedProxies`;

/** Throws for a stickiness that could only seem to work. */
export function checkStickiness(env: Environment, stickiness: Stickiness, proxy: OwnProxy): void {
  if (stickiness.by === 'none') return;
  if (env.pods.length === 0) {
    const wish = `stickiness by ${stickiness.by} without the addresses of the pods`;
    throw unsupported(proxy, wish, 'list them under pods');
  }
  if (stickiness.by === 'ip' && !knowsAddress(env, proxy)) {
    throw unsupported(
      proxy,
      `stickiness by address behind ${namesBefore(env, proxy)}, whose addresses all clients share`,
      'name its networks in gateway.trustedProxies, or stick by cookie',
    );
  }
}

/** New connections a second of all pods together. */
export const acceptsOf = (env: Environment): number => env.limits.acceptsPerSecond * Math.max(env.pods.length, 1);

export const addressOf = ({ host, port }: PodAddress): string => `${host.includes(':') ? `[${host}]` : host}:${port}`;

/** `lax` as cookies have it: `Lax`. */
export const capital = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1);
