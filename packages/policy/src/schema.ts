import { z } from 'zod';
import { HOP_KIND_NAMES, HOP_KINDS } from './hop-kinds.js';
import {
  AUTOSCALE,
  BREAKER,
  CONNECT,
  COOKIE,
  DRAIN,
  HEALTH,
  HOLD,
  KEEPALIVE,
  LIMITS,
  RESOURCES,
  ROLLOUT,
  ROUTE_TIMES,
} from './keys.js';
import { PRESET_NAMES } from './policy.js';
import {
  boolean,
  count,
  durationOrOff,
  eitherOf,
  keysOf,
  listOf,
  mapOf,
  oneWord,
  section,
  text,
  textLike,
  duration,
} from './schema-parts.js';
import { oneOf } from './words.js';

/** `holdfast.yaml` as it is written. It judges and changes nothing: `environment.ts` makes a policy of what it has let through. */

const NAME = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const HOST = /^[\w*{}$][\w.*{}-]{0,252}$/;
const PATH = /^\/[^\s?#]{0,1023}$/;
const ADDRESS = /^(?:\[[\da-fA-F:.]{2,45}\]|[\w.*-]{1,253}):\d{1,5}$/;

const host = (): z.ZodType => textLike(HOST, 'a host name without scheme and port, such as api.example.com');
const path = (): z.ZodType => textLike(PATH, 'a path, such as /ws');
const address = (): z.ZodType => textLike(ADDRESS, 'an address with its port, such as 127.0.0.1:3003');
const port = (): z.ZodType => count(1, 65_535);

const tls = section('TLS: certificates of cert-manager, or files.', {
  issuer: eitherOf('the name of a ClusterIssuer, or {kind, name}', 'Issuer of cert-manager.', [
    text(),
    section('An issuer.', { kind: oneWord(['ClusterIssuer', 'Issuer']).optional(), name: text() }),
  ]).optional(),
  secret: text()
    .meta({
      description: 'Name of the secret of each host; `{service}` and `{host}` (dots as dashes) are filled in.',
      default: '{service}-{host}',
    })
    .optional(),
  secrets: mapOf(text(), 'Names of secrets by host, where they follow no rule.').optional(),
  certificate: text().describe('File of the certificate, for what does not run in Kubernetes.').optional(),
  key: text().describe('File of its key.').optional(),
});

const service = section('The Service that pods stand behind, and the workload of the same name.', {
  name: text().describe('Name. Default: that of the policy.').optional(),
  port: eitherOf(
    'a port, or the name of one of `ports`',
    'The port that routes go to unless they say otherwise. Default: `http`, else the first of `ports`, else 80.',
    [port(), text()],
  ).optional(),
  ports: mapOf(
    eitherOf('a port, or {port, target, protocol}', 'A port.', [
      port(),
      section('A port.', {
        port: port(),
        target: port().describe('The port of the container. Default: the same.').optional(),
        protocol: oneWord(['http', 'grpc', 'tcp'])
          .describe('Default: `grpc` for a port of that name, else `http`.')
          .optional(),
      }),
    ]),
    'Ports by name.',
  ).optional(),
  clientIp: durationOrOff()
    .describe('`sessionAffinity: ClientIP` for this long since the last new connection. Default: none.')
    .optional(),
  image: text().describe('Container image, where a workload is rendered.').optional(),
  language: text().describe('Language of the backend, where it changes a verdict: `node`.').optional(),
});

const pod = eitherOf('an address, or {address, weight, backup}', 'A pod.', [
  address(),
  section('A pod.', { address: address(), weight: count(1, 256).optional(), backup: boolean().optional() }),
]);

const OPTION_TYPES = {
  text,
  boolean,
  port,
  version: (): z.ZodType => textLike(/^v?\d{1,6}(?:\.\d{1,6}){0,2}$/, 'a version in quotes, such as "1.29"'),
};

const hop = eitherOf(
  'the name of a hop, or {kind, and what is not as by default}',
  'What stands between client and pod.',
  [
    oneWord(HOP_KIND_NAMES),
    z.discriminatedUnion(
      'kind',
      HOP_KIND_NAMES.map((kind) => {
        const { clocks, options } = HOP_KINDS[kind];
        return section(`A hop of kind ${kind}.`, {
          kind: z.literal(kind),
          name: text().describe('How people call it here. Default: the kind.').optional(),
          ...Object.fromEntries(
            clocks.map((clock) => [
              clock,
              durationOrOff().describe(`Its clock ${clock}, where it is not as by default.`).optional(),
            ]),
          ),
          ...Object.fromEntries(
            Object.entries(options).map(([option, type]) => [option, OPTION_TYPES[type]().optional()]),
          ),
        });
      }) as unknown as [z.ZodObject, ...z.ZodObject[]],
      { error: () => `one of ${HOP_KIND_NAMES.join(', ')}` },
    ),
  ],
);

const STICKINESS = ['none', 'round-robin', 'least', 'ip', 'session'] as const;

const stickiness = eitherOf(
  oneOf([...STICKINESS, '{cookie: ...}', '{header: ...}', '{by: ...}']),
  'What decides which pod a connection goes to. Default: round-robin.',
  [
    oneWord(STICKINESS),
    section('By one of a header, a cookie that is set, the address or the session.', {
      header: text().describe('A header, which clients send.').optional(),
      cookie: eitherOf('the name of a cookie, or {name, ...}', 'A cookie, which is set.', [
        text(),
        section('A cookie.', { name: text(), ...keysOf(COOKIE) }),
      ]).optional(),
      by: oneWord(['ip', 'session']).describe('The address or the session, where more is to be said.').optional(),
      prefix: z
        .union([z.literal(24), z.literal(32)], { error: () => '24 or 32' })
        .meta({ description: 'Bits of an IPv4 address that count. With `by: ip`.', default: 32 })
        .optional(),
      maxLoad: z
        .number({ error: () => 'a number of at least 1, such as 1.25' })
        .min(1, 'a number of at least 1, such as 1.25')
        .describe(
          'How much more than its share of connections a pod may have. Default: 1.25 for sessions, else no bound.',
        )
        .optional(),
    }),
  ],
);

const paths = (what: string): z.ZodType => eitherOf('a path, or a list of paths', what, [path(), listOf(path(), what)]);

const route = section('A path, or several that are treated alike.', {
  websocket: paths('Paths that are WebSockets.').optional(),
  rest: paths('Paths that are plain HTTP.').optional(),
  match: oneWord(['prefix', 'exact'])
    .meta({ description: 'Whether what lies below a path belongs to it.', default: 'prefix' })
    .optional(),
  hosts: listOf(host(), 'Those of the hosts that it exists on. Default: all.').optional(),
  port: eitherOf('a port, or the name of one', 'Port of the Service that it goes to.', [port(), text()]).optional(),
  ...keysOf(ROUTE_TIMES.websocket),
  carry: oneWord(['auto', 'relay', 'soft', 'hold'])
    .meta({ description: 'How the gateway carries it.', default: 'auto' })
    .optional(),
  connections: count(1, 10_000_000)
    .describe('Connections of this route that the gateway has at once. Default: no bound but that of `limits`.')
    .optional(),
  hold: section('What `hold` does while there is no pod.', keysOf(HOLD)).optional(),
  stickiness: stickiness.optional(),
});

const discovery = eitherOf(
  oneOf(['static', '{dns: ...}', '{kubernetes: ...}', '{file: ...}']),
  'Where the gateway learns of pods. Default: static, which is `pods`.',
  [
    oneWord(['static']),
    section('Where pods are found.', {
      dns: text().describe('A name that is resolved again and again.').optional(),
      record: oneWord(['A', 'SRV']).optional(),
      port: eitherOf('a port, or its name', 'Port, where the record has none.', [port(), text()]).optional(),
      refresh: duration().meta({ description: 'How often it is resolved.', default: '5s' }).optional(),
      kubernetes: text().describe('A Service, whose EndpointSlices are watched.').optional(),
      namespace: text().describe('Its namespace. Default: that of the environment.').optional(),
      file: text().describe('A file that lists pods, read again when it changes.').optional(),
    }),
  ],
);

const gateway = section('What only `holdfast gateway` reads.', {
  listen: listOf(
    eitherOf('an address, or {address, certificates, proxyProtocol}', 'Where it listens.', [
      address(),
      section('A listener.', {
        address: address(),
        certificates: listOf(
          section('A certificate.', { host: host(), certificate: text(), key: text() }),
          'Certificates by host name.',
        ).optional(),
        proxyProtocol: boolean().describe('Every connection begins with a PROXY protocol header.').optional(),
      }),
    ]),
    'Addresses. Default: 0.0.0.0:8080.',
  ).optional(),
  admin: eitherOf('an address, or {address, tokenFile}', 'Admin API, metrics and health. Default: none.', [
    address(),
    section('The admin API.', {
      address: address(),
      tokenFile: text().describe('File that holds its bearer token.').optional(),
    }),
  ]).optional(),
  trustedProxies: listOf(text(), 'Networks (CIDR) whose forwarding headers are believed. Default: none.').optional(),
  discovery: discovery.optional(),
  accessLog: oneWord(['json', 'nginx', 'off'])
    .meta({ description: 'Format of the access log.', default: 'json' })
    .optional(),
  errorBodies: oneWord(['json', 'html'])
    .meta({ description: 'Bodies of failed requests.', default: 'json' })
    .optional(),
});

/** All that an environment can say; `base` says the same for all of them. */
const environmentKeys = {
  preset: oneWord(PRESET_NAMES)
    .describe('Defaults of breaker and attempts. Default: what the name of the environment says, else production.')
    .optional(),
  namespace: text().meta({ description: 'Kubernetes namespace.', default: 'default' }).optional(),
  hosts: eitherOf('a host, or a list of hosts', 'Names that clients use; the first is the main one.', [
    host(),
    listOf(host(), 'Hosts.'),
  ]).optional(),
  tls: tls.optional(),
  service: eitherOf('a name, or a mapping', 'The Service.', [text(), service]).optional(),
  pods: listOf(pod, 'Addresses of the pods, where they are known without Kubernetes.').optional(),
  hops: listOf(hop, 'What stands between client and pod, from the client on.').optional(),
  routes: listOf(route, 'Paths and how they are treated.').optional(),
  keepalive: section('Who pings, how often, and when a connection counts as dead.', {
    ...keysOf(KEEPALIVE),
    application: section('A heartbeat of the application itself, where it has one instead.', {
      ping: duration().describe('How often it is sent.'),
      from: oneWord(['client', 'server', 'both']).meta({ description: 'Who sends it.', default: 'both' }).optional(),
    }).optional(),
  }).optional(),
  connect: section('Limits of connecting, each judged on its own, and of sessions.', keysOf(CONNECT)).optional(),
  stickiness: stickiness.optional(),
  drain: section('How a pod is emptied before it stops.', keysOf(DRAIN)).optional(),
  rollout: section('How pods are replaced.', {
    ...keysOf(ROLLOUT),
    autoscale: section('How their number follows the load. Default: it does not.', keysOf(AUTOSCALE)).optional(),
  }).optional(),
  limits: section('Bounds.', keysOf(LIMITS)).optional(),
  breaker: section('The circuit breaker of clients, and of admission.', keysOf(BREAKER)).optional(),
  resources: section('What a pod gets.', keysOf(RESOURCES)).optional(),
  health: section('How pods are asked how they are.', keysOf(HEALTH)).optional(),
  gateway: gateway.optional(),
};

export const FILE = section('One policy, every hop: how WebSockets are kept from the client to the pod.', {
  $schema: text().describe('Where editors find this schema.').optional(),
  name: textLike(NAME, 'at most 63 of a-z, 0-9 and -').describe('Name of the whole, for labels.'),
  base: section('What all environments have in common.', environmentKeys).optional(),
  environments: mapOf(
    section('One place where the application runs.', {
      extends: text().describe('Another environment, whose keys this one takes over and changes.').optional(),
      ...environmentKeys,
    }),
    'The places where the application runs, by name.',
  ),
});
