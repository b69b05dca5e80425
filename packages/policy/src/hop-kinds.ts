/**
 * The words with which a policy names hops: each kind, its clocks and its options. They belong to the language of the file, so
 * that it can be read and checked by itself; what each clock does is told in `@holdfast/hops`, under the same names.
 */
export interface HopWords {
  readonly clocks: readonly string[];
  /** Further facts about one hop, and what they are made of. */
  readonly options: Readonly<Record<string, 'text' | 'boolean'>>;
}

const version = { version: 'text' } as const;
const none = {} as const;

export const HOP_KINDS = {
  nginx: { clocks: ['read', 'send', 'clientSend', 'connect', 'shutdown'], options: version },
  'nginx-stream': { clocks: ['idle', 'connect', 'shutdown'], options: version },
  'ingress-nginx': {
    clocks: ['read', 'send', 'clientSend', 'connect', 'shutdown'],
    options: { ...version, class: 'text' },
  },
  'nginx-ingress': {
    clocks: ['read', 'send', 'clientSend', 'connect', 'shutdown'],
    options: { ...version, class: 'text' },
  },
  'nginx-gateway-fabric': {
    clocks: ['read', 'send', 'connect', 'shutdown'],
    options: { ...version, class: 'text', plus: 'boolean' },
  },
  haproxy: {
    clocks: ['tunnel', 'connect', 'clientFin', 'hardStop'],
    options: { ...version, independentStreams: 'boolean' },
  },
  envoy: { clocks: ['idle', 'lifetime', 'connectionAge', 'handshake', 'drain'], options: version },
  'envoy-gateway': {
    clocks: ['idle', 'lifetime', 'handshake', 'drain'],
    options: { ...version, class: 'text' },
  },
  istio: { clocks: ['idle', 'handshake', 'drain'], options: { ...version, profile: 'text' } },
  traefik: { clocks: ['stop'], options: version },
  caddy: { clocks: ['lifetime', 'reload'], options: version },
  apache: { clocks: ['idle'], options: version },
  'aws-alb': { clocks: ['idle', 'deregistration'], options: none },
  'aws-clb': { clocks: ['idle'], options: none },
  'aws-nlb': { clocks: ['idle', 'deregistration'], options: none },
  'aws-api-gateway': { clocks: ['idle', 'lifetime'], options: none },
  cloudfront: { clocks: ['idle'], options: none },
  'gcp-classic-alb': { clocks: ['lifetime'], options: none },
  'gcp-global-alb': { clocks: ['idle', 'lifetime'], options: { class: 'text' } },
  'gcp-regional-alb': { clocks: ['lifetime'], options: { class: 'text' } },
  'cloud-run': { clocks: ['lifetime'], options: none },
  'azure-front-door': { clocks: ['idle', 'lifetime'], options: none },
  'azure-app-gateway': { clocks: ['idle'], options: none },
  'azure-lb': { clocks: ['idle'], options: { tcpReset: 'boolean' } },
  cloudflare: { clocks: ['idle', 'restart'], options: none },
  heroku: { clocks: ['idle'], options: none },
  fly: { clocks: ['idle', 'kill'], options: none },
  render: { clocks: ['replace'], options: none },
  vercel: { clocks: ['lifetime'], options: none },
  'kube-proxy': { clocks: ['clientIp', 'idle'], options: none },
  conntrack: { clocks: ['idle'], options: none },
  nat: { clocks: ['idle'], options: none },
  'gateway-api': { clocks: ['request'], options: { ...version, channel: 'text', class: 'text' } },
  'holdfast-gateway': { clocks: ['read', 'send', 'connect'], options: version },
} as const satisfies Readonly<Record<string, HopWords>>;

export type HopKind = keyof typeof HOP_KINDS;

export const HOP_KIND_NAMES = Object.keys(HOP_KINDS) as HopKind[];
