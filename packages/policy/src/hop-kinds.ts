/**
 * The words with which a policy names hops: each kind, its clocks and its options. They belong to the language of the file, so
 * that it can be read and checked by itself; what each clock does is told in `@holdfast/hops`, under the same names.
 */
export interface HopWords {
  readonly clocks: readonly string[];
  /** Further facts about one hop, and what they are made of. */
  readonly options: Readonly<Record<string, 'text' | 'boolean' | 'version' | 'port'>>;
}

const version = { version: 'version' } as const;
const listener = { port: 'port', ...version } as const;
const ingress = { class: 'text', ...version } as const;
/** A Gateway is named, and may stand in a namespace of its own. */
const gateway = { class: 'text', gateway: 'text', namespace: 'text', channel: 'text', ...version } as const;
/** It begins every connection to what is behind it with a PROXY protocol header. */
const proxyProtocol = { proxyProtocol: 'boolean' } as const;
const none = {} as const;

export const HOP_KINDS = {
  nginx: { clocks: ['read', 'send', 'clientSend', 'connect', 'shutdown'], options: listener },
  'nginx-stream': { clocks: ['idle', 'connect', 'shutdown'], options: { ...listener, ...proxyProtocol } },
  'ingress-nginx': { clocks: ['read', 'send', 'clientSend', 'connect', 'shutdown', 'grace'], options: ingress },
  'nginx-ingress': { clocks: ['read', 'send', 'clientSend', 'connect', 'shutdown'], options: ingress },
  'nginx-gateway-fabric': {
    clocks: ['read', 'send', 'clientSend', 'connect', 'shutdown'],
    options: { ...gateway, plus: 'boolean' },
  },
  haproxy: {
    clocks: ['tunnel', 'connect', 'clientFin', 'hardStop'],
    options: { ...listener, ...proxyProtocol, independentStreams: 'boolean' },
  },
  envoy: {
    clocks: ['idle', 'lifetime', 'connectionAge', 'handshake', 'drain'],
    options: { ...listener, ...proxyProtocol },
  },
  'envoy-gateway': { clocks: ['idle', 'lifetime', 'handshake', 'drain'], options: gateway },
  istio: { clocks: ['idle', 'handshake', 'drain'], options: { ...gateway, profile: 'text' } },
  traefik: { clocks: ['stop'], options: version },
  caddy: { clocks: ['lifetime', 'reload'], options: version },
  apache: { clocks: ['idle', 'connect'], options: version },
  'aws-alb': { clocks: ['idle', 'deregistration'], options: { scheme: 'text', certificate: 'text', class: 'text' } },
  'aws-clb': { clocks: ['idle'], options: proxyProtocol },
  'aws-nlb': { clocks: ['idle', 'deregistration'], options: { scheme: 'text', ...proxyProtocol } },
  'aws-api-gateway': { clocks: ['idle', 'lifetime'], options: none },
  cloudfront: { clocks: ['idle'], options: none },
  'gcp-classic-alb': { clocks: ['lifetime'], options: { class: 'text' } },
  'gcp-global-alb': { clocks: ['idle', 'lifetime'], options: gateway },
  'gcp-regional-alb': { clocks: ['lifetime'], options: gateway },
  'cloud-run': { clocks: ['lifetime', 'kill'], options: none },
  'azure-front-door': { clocks: ['idle', 'lifetime'], options: none },
  'azure-app-gateway': { clocks: ['idle'], options: none },
  'azure-lb': { clocks: ['idle'], options: { tcpReset: 'boolean' } },
  cloudflare: { clocks: ['idle', 'restart'], options: none },
  heroku: { clocks: ['idle'], options: none },
  fly: { clocks: ['idle', 'kill'], options: none },
  render: { clocks: ['replace'], options: none },
  vercel: { clocks: ['lifetime'], options: none },
  'kube-proxy': { clocks: ['clientIp'], options: none },
  conntrack: { clocks: ['idle'], options: none },
  nat: { clocks: ['idle'], options: none },
  'gateway-api': { clocks: ['request'], options: gateway },
  'holdfast-gateway': { clocks: ['read', 'send', 'connect'], options: { image: 'text' } },
} as const satisfies Readonly<Record<string, HopWords>>;

export type HopKind = keyof typeof HOP_KINDS;

export const HOP_KIND_NAMES = Object.keys(HOP_KINDS) as HopKind[];

/** The words of a kind; a policy that was not read from a file may name one that nobody knows. */
export const wordsOfHop = (kind: string): HopWords | undefined =>
  Object.hasOwn(HOP_KINDS, kind) ? HOP_KINDS[kind as HopKind] : undefined;
