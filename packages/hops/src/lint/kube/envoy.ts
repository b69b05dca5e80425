import { allowsWebSocket, type EnvoyRoute } from '../../envoy/configuration.js';
import type { Path } from '../../kube/manifest.js';
import { durationMs, listAt, numberAt, recordAt, textAt, valueAt } from '../../kube/values.js';
import type { KubeInput, KubeReport, KubeRule } from './kube-rule.js';

/** Envoy's own defaults. */
const STREAM_IDLE_MS = 300_000;
const THRESHOLD = 1_024;

const webSocketRoutes = ({ envoy }: KubeInput): readonly EnvoyRoute[] =>
  envoy.routes.filter(({ isWebSocket }) => isWebSocket);

function* onRoutes(
  input: KubeInput,
  judge: (
    route: EnvoyRoute,
  ) => (Pick<KubeReport, 'message' | 'severity'> & { readonly at?: Path; readonly on?: 'manager' }) | undefined,
): Generator<KubeReport> {
  for (const route of webSocketRoutes(input)) {
    const found = judge(route);
    if (!found) continue;
    const base = found.on === 'manager' ? route.manager.at : route.at;
    yield {
      manifest: route.manifest,
      message: found.message,
      severity: found.severity,
      at: [...base, ...(found.at ?? [])],
    };
  }
}

function idle(input: KubeInput, { route, manager, path }: EnvoyRoute): ReturnType<Parameters<typeof onRoutes>[1]> {
  const own = durationMs(valueAt(route, ['route', 'idle_timeout']));
  const shared = durationMs(valueAt(manager.value, ['stream_idle_timeout']));
  const ms = own ?? shared ?? STREAM_IDLE_MS;
  const { pingMs, from } = input.numbers;
  if (ms === 0 || ms >= 2 * pingMs) return undefined;
  const name =
    own !== undefined
      ? 'idle_timeout'
      : shared !== undefined
        ? 'stream_idle_timeout'
        : 'the default stream_idle_timeout';
  const severity = ms <= pingMs ? 'error' : 'warning';
  const cause = severity === 'error' ? 'cuts between two pings' : 'survives no lost ping';
  const message = `${name} of ${ms / 1_000} s on ${path} ${cause}: ${from} is ${pingMs / 1_000} s`;
  return own !== undefined
    ? { message, severity, at: ['route', 'idle_timeout'] }
    : { message, severity, on: 'manager', at: ['stream_idle_timeout'] };
}

function* lifetimes(input: KubeInput): Generator<KubeReport> {
  const places: readonly Path[] = [
    ['common_http_protocol_options', 'max_stream_duration'],
    ['common_http_protocol_options', 'max_connection_duration'],
  ];
  const isShort = (ms: number | undefined): boolean =>
    ms !== undefined && ms > 0 && (input.numbers.maxAgeMs === undefined || ms <= input.numbers.maxAgeMs);
  const text = (name: string, ms: number | undefined): string =>
    `${name} ends every connection after ${(ms ?? 0) / 1_000} s, whatever passes over it`;
  for (const { manifest, at, value } of new Set(webSocketRoutes(input).map(({ manager }) => manager))) {
    for (const place of places) {
      const ms = durationMs(valueAt(value, place));
      if (isShort(ms)) yield { manifest, at: [...at, ...place], message: text(String(place[1]), ms) };
    }
  }
  yield* onRoutes(input, ({ route }) => {
    const at: Path = ['route', 'max_stream_duration', 'max_stream_duration'];
    const ms = durationMs(valueAt(route, at));
    return isShort(ms) ? { at, message: text('max_stream_duration', ms) } : undefined;
  });
}

function* capacity({ envoy, ...rest }: KubeInput): Generator<KubeReport> {
  const names = new Set(webSocketRoutes({ envoy, ...rest }).map(({ cluster }) => cluster));
  for (const [name, { manifest, at, value }] of envoy.clusters) {
    if (!names.has(name)) continue;
    const [threshold] = listAt(value, ['circuit_breakers', 'thresholds']);
    const least = Math.min(
      ...['max_connections', 'max_requests'].map((key) => numberAt(threshold, [key]) ?? THRESHOLD),
    );
    if (least > THRESHOLD) continue;
    const isSet = threshold === undefined ? 'by default' : 'by its thresholds';
    const message = `${name} takes ${least} WebSockets at most ${isSet}: each is an active request`;
    yield { manifest, at: [...at, 'circuit_breakers'], message };
  }
}

const HTTP2 = ['explicit_http_config', 'http2_protocol_options'] as const;

function* upstreamHttp2({ envoy, ...rest }: KubeInput): Generator<KubeReport> {
  const routes = webSocketRoutes({ envoy, ...rest });
  const names = new Set(routes.map(({ cluster }) => cluster));
  for (const [name, { manifest, at, value }] of envoy.clusters) {
    if (!names.has(name)) continue;
    const extensions = recordAt(value, ['typed_extension_protocol_options']);
    const found = [
      [['http2_protocol_options'], value['http2_protocol_options']] as const,
      ...Object.entries(extensions).map(
        ([key, options]) =>
          [['typed_extension_protocol_options', key, ...HTTP2], valueAt(options, [...HTTP2])] as const,
      ),
    ].find(([, options]) => options !== undefined);
    if (!found || valueAt(found[1], ['allow_connect']) === true) continue;
    yield {
      manifest,
      at: [...at, ...found[0]],
      message: `${name} is spoken to over HTTP/2 without allow_connect: it cannot upgrade`,
    };
  }
  for (const { manifest, at, value } of new Set(routes.map(({ manager }) => manager))) {
    const i = listAt(value, ['http_filters']).findIndex((filter) =>
      (textAt(filter, ['name']) ?? '').endsWith('.buffer'),
    );
    const isOff = (route: unknown): boolean =>
      Object.entries(recordAt(route, ['typed_per_filter_config'])).some(
        ([name, config]) => name.endsWith('.buffer') && valueAt(config, ['disabled']) === true,
      );
    const own = routes.filter(({ manager }) => manager.value === value);
    if (i < 0 || own.every(({ route }) => isOff(route))) continue;
    yield {
      manifest,
      at: [...at, 'http_filters', i],
      message: 'the buffer filter waits for the end of a request, which an upgrade does not have',
    };
  }
}

export const envoyRules: readonly KubeRule[] = [
  {
    id: 'ENV001',
    name: 'no-upgrade-config',
    severity: 'error',
    title: 'Upgrades are not let through',
    what: 'A route for WebSockets has no upgrade_configs of type websocket, and neither has its connection manager.',
    why: 'Envoy answers an upgrade that it is not told to pass with 403, or passes it as a plain request.',
    fix: 'upgrade_configs: [{ upgrade_type: websocket }] on the connection manager or the route.',
    source: 'Envoy, HTTP upgrades.',
    check: (input) =>
      onRoutes(input, ({ manager, route, path }) => {
        if (manager.upgrades || allowsWebSocket(valueAt(route, ['route']))) return undefined;
        return { message: `${path} looks like WebSockets, and no upgrade_configs lets them through` };
      }),
  },
  {
    id: 'ENV002',
    name: 'stream-idle',
    severity: 'error',
    title: 'The idle limit is below the ping',
    what: 'stream_idle_timeout, or the idle_timeout of the route, is not well above the ping.',
    why: 'A silent connection is reset with the flag SI; the default is five minutes. Bytes in either direction count.',
    fix: 'idle_timeout: 0s on the route, or at least two and a half pings.',
    source: 'Envoy, timeouts.',
    check: (input) => onRoutes(input, (route) => idle(input, route)),
  },
  {
    id: 'ENV003',
    name: 'max-duration',
    severity: 'warning',
    title: 'Connections have a longest life',
    what: 'max_stream_duration or max_connection_duration is set where WebSockets pass, and nothing rotates them earlier.',
    why: 'At that age the connection ends in the middle of whatever is said; a ping does not help.',
    fix: 'Remove it, or plan a shorter maximum age, so that clients move in order.',
    source: 'Envoy, timeouts.',
    check: lifetimes,
  },
  {
    id: 'ENV004',
    name: 'route-timeout-15s',
    severity: 'info',
    title: 'The route timeout is left at 15 s',
    what: 'A route for WebSockets has no timeout, which means 15 s.',
    why: 'It ends no open WebSocket, but since Envoy 1.36 it bounds the wait for the answer to the upgrade.',
    fix: 'timeout: 0s says that it is not meant for the connection.',
    source: 'Envoy pull request 41075.',
    check: (input) =>
      onRoutes(input, ({ route, path }) => {
        const hasRoute = valueAt(route, ['route']) !== undefined;
        if (!hasRoute || valueAt(route, ['route', 'timeout']) !== undefined) return undefined;
        return { at: ['route'], message: `the timeout of ${path} is the default of 15 s, for the handshake` };
      }),
  },
  {
    id: 'ENV005',
    name: 'circuit-breaker-1024',
    severity: 'warning',
    title: 'The circuit breaker caps the connections',
    what: 'The cluster behind a route for WebSockets has the default thresholds of 1024, or less.',
    why: 'Each WebSocket is an active request for as long as it lives: the next one is answered 503 with the flag UO.',
    fix: 'Raise max_connections and max_requests of the cluster.',
    source: 'Envoy, circuit breaking.',
    check: capacity,
  },
  {
    id: 'ENV006',
    name: 'h2-upstream',
    severity: 'error',
    title: 'The way to the pod cannot upgrade',
    what: 'The cluster is spoken to over HTTP/2 without allow_connect, or a buffer filter stands before it.',
    why: 'Over HTTP/2 an upgrade is an extended CONNECT (RFC 8441), which both ends must allow; buffering waits for an end that does not come.',
    fix: 'http2_protocol_options: { allow_connect: true }, or HTTP/1.1 to the pods; no buffer filter on the route.',
    source: 'Envoy, HTTP upgrades; RFC 8441.',
    check: upstreamHttp2,
  },
];
