import { effective, own } from '../../nginx/effective.js';
import type { Node } from '../../nginx/tree.js';
import { isAtLeast, type LintContext } from '../context.js';
import { insertBehind, remove } from '../edits.js';
import { memo } from '../memo.js';
import type { Problem, Rule } from '../rule.js';
import { type NginxConfig, placeOf, type ProxyLocation, type Upstream } from './config.js';

/** Upstreams that WebSockets go to. */
const used = ({ upstreams }: NginxConfig): Upstream[] => upstreams.filter(({ webSockets }) => webSockets.length > 0);

const first = ({ node }: Upstream, name: string): Node | undefined => own(node, name)[0];
const keyOf = (line: Node | undefined): string => line?.directive.args[0] ?? '';

/** The line that picks a backend by the client's address. */
function byAddress(upstream: Upstream): Node | undefined {
  const hash = first(upstream, 'hash');
  return first(upstream, 'ip_hash') ?? (/^\$\{?(?:binary_)?remote_addr\}?$/.test(keyOf(hash)) ? hash : undefined);
}

/** Hops that hide the address of the client from what is behind them unless told otherwise. */
const HIDES =
  /cloudflare|cloudfront|alb|clb|cdn|fastly|front-door|gateway|gcp|gke|ingress|envoy|istio|haproxy|traefik|caddy|heroku/;

function hasFront(context: LintContext): string | undefined {
  for (const { hops } of context.environments) {
    const own = hops.findIndex(({ kind }) => kind.startsWith('nginx'));
    const front = hops
      .slice(0, own < 0 ? hops.length : own)
      .find(({ kind }) => HIDES.test(kind) && !kind.startsWith('nginx'));
    if (front) return front.name;
  }
  return undefined;
}

/** What shows in a configuration itself that something stands in front: it reads what that has added to the request. */
const FRONT_HEADERS =
  /\$\{?http_(?:x_forwarded_(?:for|proto|host)|x_real_ip|cf_connecting_ip|true_client_ip|forwarded)\b/;

function showsFront({ node }: ProxyLocation): boolean {
  const headers = effective(node, 'proxy_set_header')[0]?.parent;
  const listens = effective(node, 'listen')[0]?.parent;
  return (headers !== undefined && forwards(headers)) || (listens !== undefined && listensForProxy(listens));
}

const forwards = memo((level: Node) =>
  own(level, 'proxy_set_header').some(({ directive }) => FRONT_HEADERS.test(directive.args[1] ?? '')),
);
const listensForProxy = memo((level: Node) =>
  own(level, 'listen').some(({ directive }) => directive.args.includes('proxy_protocol')),
);

const hasRealAddress = ({ node }: ProxyLocation): boolean => effective(node, 'set_real_ip_from').length > 0;

/** Where the addresses that decide are those of a hop in front. */
function hidden(upstream: Upstream, context: LintContext): { line: Node; front: string } | undefined {
  const line = byAddress(upstream);
  if (line === undefined) return undefined;
  const named = hasFront(context);
  const location = upstream.webSockets.find(
    (each) => !hasRealAddress(each) && (named !== undefined || showsFront(each)),
  );
  return location && { line, front: named ?? 'the proxy in front whose headers are read here' };
}

export const ipHashNoRealIp: Rule<NginxConfig> = {
  id: 'NGX017',
  name: 'ip-hash-no-realip',
  severity: 'error',
  title: 'Stickiness by address sees the address of a proxy',
  what: '`ip_hash` or `hash $remote_addr` for WebSockets without `set_real_ip_from`, while something stands in front: a hop of the policy, the PROXY protocol, or headers such as X-Forwarded-Proto that are read from the request.',
  why: 'nginx hashes the address of the connection, which is that of the CDN or load balancer: all clients of one edge node go to one backend, and the next connection of a client comes from another edge node.',
  fix: 'Set `set_real_ip_from` to the networks of the proxy and `real_ip_header`, or stick by a cookie.',
  source: 'ngx_http_upstream_ip_hash_module.c uses the sockaddr of the connection.',
  *check(config, context) {
    for (const upstream of used(config)) {
      const found = hidden(upstream, context);
      if (!found) continue;
      const method = found.line.directive.name === 'ip_hash' ? 'ip_hash' : `hash ${keyOf(found.line)}`;
      yield {
        at: placeOf(found.line),
        message: `${method} of upstream ${upstream.name} sees the addresses of ${found.front}`,
      };
    }
  },
};

export const ipHash24: Rule<NginxConfig> = {
  id: 'NGX018',
  name: 'ip-hash-24',
  severity: 'warning',
  title: 'ip_hash takes a whole /24 for one client',
  what: '`ip_hash` for WebSockets with two backends or more. Where NGX017 speaks, this is silent.',
  why: 'Of an IPv4 address only the first three octets count: an office, a campus or a carrier NAT lands on one backend while the others are idle.',
  fix: 'Use `hash $binary_remote_addr consistent;`.',
  source: 'ngx_http_upstream_ip_hash_module.c, addrlen = 3.',
  *check(config, context) {
    for (const upstream of used(config)) {
      const line = first(upstream, 'ip_hash');
      const isOne = own(upstream.node, 'server').length < 2;
      if (line === undefined || isOne || hidden(upstream, context)) continue;
      yield {
        at: placeOf(line),
        message: `clients of upstream ${upstream.name} that share three octets of their address share one of ${own(upstream.node, 'server').length} backends`,
      };
    }
  },
};

export const hashNotConsistent: Rule<NginxConfig> = {
  id: 'NGX019',
  name: 'hash-not-consistent',
  severity: 'warning',
  title: 'Adding a backend moves nearly every client',
  what: '`hash` without `consistent` in an upstream for WebSockets.',
  why: 'The key is taken modulo the number of backends: one more or less, and almost all clients come back to a backend that knows nothing of them, all at once.',
  fix: 'Add `consistent`.',
  source: 'nginx documentation of hash.',
  *check(config) {
    for (const upstream of used(config)) {
      const line = first(upstream, 'hash');
      const key = line?.directive.words[1];
      if (line === undefined || key === undefined || line.directive.args.includes('consistent')) continue;
      const { source } = line.directive;
      yield {
        at: placeOf(line),
        message: `hash ${key.text} of upstream ${upstream.name} is not consistent`,
        edits: [{ source, start: key.end, end: key.end, text: ' consistent' }],
      };
    }
  },
};

export const hashForwarded: Rule<NginxConfig> = {
  id: 'NGX020',
  name: 'hash-xff',
  severity: 'warning',
  title: 'Stickiness hashes a header that the client writes',
  what: '`hash` by `$http_x_forwarded_for`, `$proxy_add_x_forwarded_for` or `$http_forwarded` in an upstream for WebSockets.',
  why: 'Whoever writes the header chooses the backend, so one can be overloaded at will; and the list differs with every proxy on the way, so that a client does not come back to where it was.',
  fix: 'Let the real_ip module set the address and hash `$binary_remote_addr consistent`, or hash a cookie.',
  source: 'nginx documentation of the real_ip module.',
  *check(config) {
    for (const upstream of used(config)) {
      const line = first(upstream, 'hash');
      if (
        line === undefined ||
        !/\$\{?(?:http_x_forwarded_for|proxy_add_x_forwarded_for|http_forwarded)\b/.test(keyOf(line))
      )
        continue;
      yield {
        at: placeOf(line),
        message: `upstream ${upstream.name} is chosen by ${keyOf(line)}, which clients can write`,
      };
    }
  },
};

const METHODS = ['ip_hash', 'hash', 'least_conn', 'least_time', 'random'];

export const stickyMethodOrder: Rule<NginxConfig> = {
  id: 'NGX021',
  name: 'sticky-method-order',
  severity: 'warning',
  title: 'keepalive stands before the balancing method',
  what: '`keepalive` before `ip_hash`, `hash`, `least_conn` or `random` in an upstream for WebSockets, with nginx older than 1.29.7 or of unknown version.',
  why: 'The method replaces what `keepalive` has set up: nginx warns "load balancing method redefined", the method wins and the pool of idle connections is lost.',
  fix: 'Put `keepalive` behind the method.',
  source: 'Measured with nginx 1.22.1.',
  *check(config, { nginxVersion }) {
    if (isAtLeast(nginxVersion, [1, 29, 7])) return;
    for (const upstream of used(config)) {
      const keepalive = first(upstream, 'keepalive');
      const method = METHODS.flatMap((name) => own(upstream.node, name))[0];
      if (keepalive === undefined || method === undefined) continue;
      const order = upstream.node.children;
      if (order.indexOf(keepalive) > order.indexOf(method)) continue;
      yield {
        at: placeOf(keepalive),
        message: `${method.directive.name} of upstream ${upstream.name} comes behind keepalive and takes its place`,
        edits: moved(keepalive, method),
      };
    }
  },
};

function moved({ directive: from }: Node, { directive: to }: Node): Problem['edits'] {
  const { source } = from;
  if (source !== to.source) return undefined;
  return [remove(from), insertBehind(to, [source.text.slice(from.start, from.end)])];
}
