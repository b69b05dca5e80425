import { type CookiePolicy, type Environment, type Route, type Stickiness, formatDuration } from '@holdfast/policy';
import { hopOf, proxiesBefore, SESSION_PARAMETER } from './chain.js';
import { clusterName, clusters } from './envoy-clusters.js';
import type { Target } from './target.js';
import { acceptsOf, capital, certificateOf, listenPort } from './own-proxy.js';
import { duration, mostSpecificFirst, seconds } from './units.js';
import { noted, type Yaml, yaml } from './yaml.js';

const TYPE = 'type.googleapis.com/envoy.extensions';

export const envoy: Target = {
  summary: 'a static bootstrap: listener, routes, clusters with health checks and thresholds',
  fits: (env) => hopOf(env, 'envoy') !== undefined,
  render(env, notes) {
    notes.add('run it with --drain-time-s above drain.deadline: Envoy ends what is left when its process exits');
    notes.add('limits.connectionsPerAddress is not rendered: Envoy by itself counts no connections by address');
    return [
      { path: 'envoy.yaml', text: yaml({ static_resources: { listeners: listeners(env), clusters: clusters(env) } }) },
    ];
  },
};

function listeners(env: Environment): Yaml {
  const port = listenPort(env, 'envoy');
  return [
    {
      name: env.service.name,
      address: { socket_address: { address: '0.0.0.0', port_value: port } },
      per_connection_buffer_limit_bytes: noted(32_768, 'of each connection; more waits at the sender'),
      filter_chains: [{ transport_socket: tls(env), filters: [connectionManager(env)] }],
    },
  ];
}

function tls(env: Environment): Yaml | undefined {
  const files = certificateOf(env, 'envoy');
  if (!files) return undefined;
  return {
    name: 'envoy.transport_sockets.tls',
    typed_config: {
      '@type': `${TYPE}.transport_sockets.tls.v3.DownstreamTlsContext`,
      common_tls_context: {
        tls_params: { tls_minimum_protocol_version: 'TLSv1_2' },
        alpn_protocols: ['h2', 'http/1.1'],
        tls_certificates: [
          { certificate_chain: { filename: files.certificate }, private_key: { filename: files.key } },
        ],
      },
    },
  };
}

function connectionManager(env: Environment): Yaml {
  const proxies = proxiesBefore(env, 'envoy').length;
  return {
    name: 'envoy.filters.network.http_connection_manager',
    typed_config: {
      '@type': `${TYPE}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
      stat_prefix: env.service.name.replaceAll('-', '_'),
      codec_type: 'AUTO',
      use_remote_address: true,
      xff_num_trusted_hops: proxies > 0 ? noted(proxies, 'proxies in front, each of which adds an address') : undefined,
      normalize_path: true,
      merge_slashes: true,
      request_headers_timeout: '10s',
      stream_idle_timeout: noted('300s', 'the default; each WebSocket route has its own'),
      max_request_headers_kb: noted(Math.max(1, Math.ceil(env.limits.headerBytes / 1024)), 'limits.headers'),
      http2_protocol_options: { allow_connect: noted(true, 'WebSockets over HTTP/2 (RFC 8441)') },
      access_log: [accessLog()],
      local_reply_config: localReplies(),
      http_filters: [rateLimit(env), router()],
      route_config: routeConfig(env),
    },
  };
}

const accessLog = (): Yaml => ({
  name: 'envoy.access_loggers.stdout',
  typed_config: {
    '@type': `${TYPE}.access_loggers.stream.v3.StdoutAccessLog`,
    log_format: {
      json_format: noted(
        {
          time: '%START_TIME%',
          client: '%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%',
          host: '%REQ(:AUTHORITY)%',
          method: '%REQ(:METHOD)%',
          path: '%PATH(NQ)%',
          status: '%RESPONSE_CODE%',
          upgrade: '%REQ(UPGRADE)%',
          upstream: '%UPSTREAM_HOST%',
          duration_ms: '%DURATION%',
          bytes_in: '%BYTES_RECEIVED%',
          bytes_out: '%BYTES_SENT%',
          ended: '%RESPONSE_FLAGS%',
        },
        'ended: SI is silence, UMSDR the longest life, DC a client that went, UC a pod that did. The path comes without its query.',
      ),
    },
  },
});

const localReplies = (): Yaml => ({
  body_format: {
    json_format: { error: { status: '%RESPONSE_CODE%', message: '%LOCAL_REPLY_BODY%' } },
    content_type: 'application/json',
  },
});

/** New requests: a WebSocket counts once, when it begins. */
function rateLimit(env: Environment): Yaml {
  const accepts = acceptsOf(env);
  return {
    name: 'envoy.filters.http.local_ratelimit',
    typed_config: {
      '@type': `${TYPE}.filters.http.local_ratelimit.v3.LocalRateLimit`,
      stat_prefix: 'accepts',
      token_bucket: noted(
        { max_tokens: accepts * 2, tokens_per_fill: accepts, fill_interval: '1s' },
        'limits.acceptsPerSecond of every pod; two seconds of reconnects at once',
      ),
      filter_enabled: { default_value: { numerator: 100, denominator: 'HUNDRED' } },
      filter_enforced: { default_value: { numerator: 100, denominator: 'HUNDRED' } },
    },
  };
}

const router = (): Yaml => ({
  name: 'envoy.filters.http.router',
  typed_config: { '@type': `${TYPE}.filters.http.router.v3.Router` },
});

function routeConfig(env: Environment): Yaml {
  return {
    name: env.service.name,
    virtual_hosts: [
      {
        name: env.service.name,
        domains: env.hosts.length > 0 ? [...env.hosts, ...env.hosts.map((host) => `${host}:*`)] : ['*'],
        routes: [health(env), ...mostSpecificFirst(env.routes).map((route) => httpRoute(env, route))],
      },
    ],
  };
}

/** Whether Envoy lives it answers itself. */
const health = (env: Environment): Yaml => ({
  match: { path: env.health.livePath },
  direct_response: { status: 200, body: { inline_string: 'ok\n' } },
});

function httpRoute(env: Environment, route: Route): Yaml {
  const isWebSocket = route.kind === 'websocket';
  const match =
    route.match === 'exact'
      ? { path: route.path }
      : route.path === '/'
        ? { prefix: '/' }
        : { path_separated_prefix: route.path };
  const isEverywhere = route.hosts.length === 0 || route.hosts.length === env.hosts.length;
  return {
    match: {
      ...match,
      headers: isEverywhere
        ? undefined
        : [
            {
              name: ':authority',
              string_match: { safe_regex: { regex: `(?:${route.hosts.map(escaped).join('|')})(?::\\d+)?` } },
            },
          ],
    },
    route: {
      cluster: clusterName(env, route),
      timeout: isWebSocket
        ? noted('0s', 'none: a WebSocket is one request, for as long as it lives')
        : noted(duration(route.readMs), `read, ${formatDuration(route.readMs)}`),
      idle_timeout: isWebSocket
        ? noted(
            duration(route.readMs),
            `silence of both directions, ${formatDuration(route.readMs)}: a byte of either starts it anew`,
          )
        : undefined,
      upgrade_configs: isWebSocket ? [{ upgrade_type: 'websocket' }] : undefined,
      retry_policy: isWebSocket
        ? {
            retry_on: noted(
              'connect-failure,reset-before-request',
              'a handshake that reached nobody may go to the next pod',
            ),
            num_retries: 2,
          }
        : undefined,
      hash_policy: hashPolicy(route.stickiness),
    },
  };
}

const escaped = (host: string): string => host.replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);

function hashPolicy(stickiness: Stickiness): Yaml | undefined {
  switch (stickiness.by) {
    case 'none':
      return undefined;
    case 'ip':
      return [{ connection_properties: { source_ip: true } }];
    case 'header':
      return [{ header: { header_name: stickiness.header } }];
    case 'session':
      return [{ query_parameter: { name: noted(SESSION_PARAMETER, 'a client names its session when it resumes') } }];
    case 'cookie':
      return [{ cookie: cookie(stickiness.cookie) }];
  }
}

function cookie({ name, path, maxAgeMs, httpOnly, secure, sameSite, partitioned, domain }: CookiePolicy): Yaml {
  return {
    name,
    path,
    ttl: maxAgeMs === undefined ? noted('0s', 'as long as the browser lives') : `${seconds(maxAgeMs)}s`,
    attributes: [
      { name: 'SameSite', value: capital(sameSite) },
      ...(httpOnly ? [{ name: 'HttpOnly' }] : []),
      ...(secure ? [{ name: 'Secure' }] : []),
      ...(partitioned ? [{ name: 'Partitioned' }] : []),
      ...(domain === undefined ? [] : [{ name: 'Domain', value: domain }]),
    ],
  };
}
