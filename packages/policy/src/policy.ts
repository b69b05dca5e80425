/**
 * A policy as it is used: every default filled in, every inheritance followed, every duration in milliseconds and every size in
 * bytes. `holdfast.yaml` is how a person writes it; all that renders, checks, lints, serves or carries takes it from here.
 */
export interface Policy {
  /** The file it was read from, for messages. */
  readonly path: string;
  /** Name of the whole, for labels: at most 63 of `a-z0-9-`. */
  readonly name: string;
  readonly environments: ReadonlyMap<string, Environment>;
  /** The file as it is written, for what takes the policy elsewhere; absent if it was never in a file. */
  readonly text?: string;
}

/** The names of the presets, from the most permissive. */
export const PRESET_NAMES = ['development', 'staging', 'production'] as const;
export type PresetName = (typeof PRESET_NAMES)[number];

/** One place where the application runs. */
export interface Environment {
  readonly name: string;
  readonly preset: PresetName;
  /** Kubernetes namespace. Default `default`. */
  readonly namespace: string;
  /** Names that clients use. The first is the main one. */
  readonly hosts: readonly string[];
  readonly tls?: Tls;
  readonly service: Service;
  /** Addresses of the pods where they are known without Kubernetes, as `127.0.0.1:3003`. */
  readonly pods: readonly PodAddress[];
  /** What stands between client and pod, from the client on. */
  readonly hops: readonly HopUse[];
  /** In the order in which they were written; `websocket` and `rest` together. */
  readonly routes: readonly Route[];
  readonly keepalive: Keepalive;
  readonly connect: ConnectPolicy;
  readonly stickiness: Stickiness;
  readonly drain: DrainPolicy;
  readonly rollout: Rollout;
  readonly limits: Limits;
  readonly breaker: BreakerPolicy;
  readonly resources: Resources;
  readonly health: Health;
  readonly gateway: GatewayPolicy;
}

export interface Tls {
  /** cert-manager. */
  readonly issuer?: { readonly kind: 'ClusterIssuer' | 'Issuer'; readonly name: string };
  /** Name of the secret of each host, `{service}` and `{host}` (dots as dashes) filled in. Default `{service}-{host}`. */
  readonly secrets: ReadonlyMap<string, string>;
  /** Files, for what does not run in Kubernetes. */
  readonly certificate?: string;
  readonly key?: string;
}

export interface Service {
  /** Name of the Service and of the workload. */
  readonly name: string;
  readonly ports: readonly ServicePort[];
  /** The port that WebSockets and REST go to unless a route says otherwise; one of `ports`. */
  readonly port: ServicePort;
  /** `sessionAffinity: ClientIP` for this long since the last new connection. Default: none. */
  readonly clientIpMs?: number;
  /** Container image, where a workload is rendered. */
  readonly image?: string;
  /** Language of the backend, where it changes a verdict (`node`). */
  readonly language?: string;
}

export interface ServicePort {
  readonly name: string;
  readonly port: number;
  /** The container's. Default: `port`. */
  readonly targetPort: number;
  readonly protocol: 'http' | 'grpc' | 'tcp';
}

export interface PodAddress {
  readonly host: string;
  readonly port: number;
  /** Default 1. */
  readonly weight: number;
  readonly backup: boolean;
}

/** A hop as a policy names it: what it is, and what of it is not as by default. */
export interface HopUse {
  /** A key of the table of hops, such as `cloudflare`, `ingress-nginx`, `aws-nlb`. */
  readonly kind: string;
  /** How people call it here. Default: the kind. */
  readonly name: string;
  /** Clocks that differ from the hop's defaults, by the name of the clock, in milliseconds; 0 switches one off. */
  readonly clocksMs: ReadonlyMap<string, number>;
  /** Facts that change how it is judged or rendered: `version`, `class`, `tcpReset`. */
  readonly options: ReadonlyMap<string, string | number | boolean>;
}

/** A path and how it is treated on its way. */
export interface Route {
  readonly kind: 'websocket' | 'rest';
  readonly path: string;
  readonly match: 'prefix' | 'exact';
  /** Hosts of the environment that it exists on. Default: all. */
  readonly hosts: readonly string[];
  /** Service port it goes to. */
  readonly port: ServicePort;
  /** Longest establishing of a connection to a pod. Default 5,000 ms. Proxies cannot exceed 75 s. */
  readonly connectMs: number;
  /** Idle limit: silence of both directions for a WebSocket, of the pod for REST. */
  readonly readMs: number;
  /** Longest that a peer may take no byte of what is sent to it. It is no idle limit. */
  readonly sendMs: number;
  /** Longest life of a connection; then it is moved. Absent: unlimited. */
  readonly maxAgeMs?: number;
  /** Connections of this route that the gateway has at once. Default: no bound but `limits.connections`. */
  readonly connections?: number;
  /** How the gateway carries it. Default `auto`: soft for holdfast.v1, relay for the rest. */
  readonly carry: Carry;
  readonly hold: HoldPolicy;
  /** Default: that of the environment. */
  readonly stickiness: Stickiness;
}

export type Carry = 'auto' | 'relay' | 'soft' | 'hold';

/** What `hold` does while there is no pod. */
export interface HoldPolicy {
  /** Longest that a client is held without a pod. Default 30,000 ms. */
  readonly waitMs: number;
  /** Bound on what waits meanwhile. Default 1 MiB. */
  readonly bufferBytes: number;
  /** The client's first messages that each new pod is given again: this many. Default 0. */
  readonly replayCount: number;
  /** And those of its first 32 text messages that match this regular expression. */
  readonly replayMatch?: string;
  /** Close codes of a pod that do not reach the client, as `1001 1012 1013`, which is the default. A connection that is lost is always held. */
  readonly heldCodes: string;
  /** Whom a text message tells that another pod has taken over. Default `off`. */
  readonly notice: 'off' | 'client' | 'pod' | 'both';
}

/** Who pings, how often, and when a connection counts as dead. */
export interface Keepalive {
  /** Sessions, in the foreground. Defaults 2,000 and 4,000 ms. */
  readonly pingMs: number;
  readonly deadMs: number;
  /** Sessions of hidden pages. Defaults 25,000 and 50,000 ms. */
  readonly backgroundPingMs: number;
  readonly backgroundDeadMs: number;
  /** Clients without holdfast.v1, by RFC 6455 pings. Defaults 30,000 and 60,000 ms. */
  readonly plainPingMs: number;
  readonly plainPongMs: number;
  /** A write that the network does not take for this long ends a transport. Default 10,000 ms. */
  readonly writeMs: number;
  /** Where the application has its own heartbeat instead: who sends it. Absent: holdfast or RFC 6455 pings, which move bytes both ways. */
  readonly application?: { readonly pingMs: number; readonly from: 'client' | 'server' | 'both' };
}

/** Limits of connecting, each judged on its own, and of sessions. */
export interface ConnectPolicy {
  /** Default 10,000 ms. */
  readonly connectMs: number;
  /** Default 15,000 ms. */
  readonly handshakeMs: number;
  /** Longest wait for the answer to a probe. Default 5,000 ms. */
  readonly pingMs: number;
  /** Default 10,000 ms. */
  readonly closeMs: number;
  /** Longest run of an asynchronous handler. Default 300,000 ms. */
  readonly executionMs: number;
  /** How often what is over is cleaned up. Default 30,000 ms. */
  readonly cleanupMs: number;
  /** How long a session lives without a transport. Default 600,000 ms. */
  readonly sessionMs: number;
  /** Bounds of the exponential backoff with full jitter. Defaults 500 and 30,000 ms. */
  readonly retryMinMs: number;
  readonly retryMaxMs: number;
  /** Failed attempts in a row after which a client gives up; Infinity for never. */
  readonly maxAttempts: number;
}

/** What decides which pod a connection goes to. A connection that lacks what it names goes to whoever has the fewest. */
export type Stickiness =
  | { readonly by: 'none'; readonly balance: 'round-robin' | 'least' }
  | ({ readonly by: 'ip'; readonly prefix?: IpPrefix } & LoadBound)
  | ({ readonly by: 'session' } & LoadBound)
  | ({ readonly by: 'header'; readonly header: string } & LoadBound)
  | ({ readonly by: 'cookie'; readonly cookie: CookiePolicy } & LoadBound);

/** Bits of an IPv4 address that count: all, or those of nginx's `ip_hash`. Default 32. Of IPv6 it is always 64, one household's network. */
export type IpPrefix = 24 | 32;

export interface LoadBound {
  /**
   * How much more than its share of connections a pod may have before a key goes to its next choice. Default: 1.25 for sessions, which any
   * pod can take over; no bound for the others.
   */
  readonly maxLoad?: number;
}

export interface CookiePolicy {
  readonly name: string;
  /** Default `/`. */
  readonly path: string;
  /** Default: a cookie of the browser's session. */
  readonly maxAgeMs?: number;
  readonly httpOnly: boolean;
  readonly secure: boolean;
  readonly sameSite: 'strict' | 'lax' | 'none';
  /** Default: the host that was asked alone. */
  readonly domain?: string;
  /** Kept apart for each site that embeds the page (`Partitioned`). Default false. */
  readonly partitioned?: boolean;
  /** File of the keys that sign it, one a line, the newest first. Default: one drawn at random when the gateway starts. */
  readonly keyFile?: string;
  /** Stays with its pod when pods are added (`affinity-mode: persistent`). Default true. */
  readonly persistent: boolean;
}

export interface DrainPolicy {
  /** `preStop` sleep before SIGTERM. Default 5,000 ms. */
  readonly preStopMs: number;
  /** How long a pod serves on after SIGTERM, not ready, until balancers have noticed. Default 5,000 ms. */
  readonly propagationMs: number;
  /** Default 500. */
  readonly movesPerSecond: number;
  /** Default 500 ms. */
  readonly spreadMs: number;
  /** From SIGTERM to the last 1012. Default 25,000 ms. */
  readonly deadlineMs: number;
  /** `terminationGracePeriodSeconds`. Default 60,000 ms. */
  readonly graceMs: number;
  /** Planned rotation: longest life of a connection, and how much of it is random (0 to 1). Default: none, 0.2. */
  readonly maxAgeMs?: number;
  readonly ageJitter: number;
}

export interface Rollout {
  readonly replicas: number;
  /** Default 1 and 0. */
  readonly maxSurge: number;
  readonly maxUnavailable: number;
  readonly minReadyMs: number;
  /** Disruption budget. Default 1. */
  readonly maxDisrupted: number;
  readonly autoscale?: {
    readonly min: number;
    readonly max: number;
    /** CPU utilisation in percent. */
    readonly cpuPercent: number;
    /** Default 600,000 ms, one pod each `scaleDownMs`. */
    readonly stabilizationMs: number;
    readonly scaleDownMs: number;
  };
}

export interface Limits {
  /** Connections in all, at one pod. Default 10,000. */
  readonly connections: number;
  /** From one address. Default 100. */
  readonly connectionsPerAddress: number;
  /** New connections a second. Default 500. */
  readonly acceptsPerSecond: number;
  /** Largest message. Default 16 MiB. */
  readonly messageBytes: number;
  /** All headers of a request. Default 16 KiB. */
  readonly headerBytes: number;
  /** Body of a plain request. Default 16 MiB. */
  readonly bodyBytes: number;
}

/** Defaults by preset: development 50 failures and 1 s, staging 3 and 15 s, production 5 and 60 s. */
export interface BreakerPolicy {
  readonly failures: number;
  readonly openMs: number;
}

export interface Resources {
  /** As Kubernetes writes them, `4`, `500m`. */
  readonly cpu?: string;
  /** `4Gi`. */
  readonly memory?: string;
  readonly cpuLimit?: string;
  readonly memoryLimit?: string;
  /** Longest request where the platform has one (Cloud Run). */
  readonly requestMs?: number;
}

export interface Health {
  /** Default `/healthz` and `/readyz`. */
  readonly livePath: string;
  readonly readyPath: string;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** Passive: after so many failures a pod rests for so long, as nginx's max_fails and fail_timeout. Defaults 3 and 10,000 ms. */
  readonly maxFails: number;
  readonly failTimeoutMs: number;
  /** What the gateway asks a pod every `intervalMs`: its `readyPath` (`http`), a WebSocket handshake (`websocket`), or nothing. Default `http`. */
  readonly check?: 'http' | 'websocket' | 'off';
  /** Path of the handshake of a `websocket` check. Default `/`. */
  readonly checkPath?: string;
  /** So many checks in a row must pass, or fail, before a pod counts as up, or down. Defaults 2 and 3. */
  readonly rise?: number;
  readonly fall?: number;
  /** Over how long a pod that is new or back gets its full share of connections. Default 10,000 ms. */
  readonly slowStartMs?: number;
}

/** What only `holdfast gateway` reads. */
export interface GatewayPolicy {
  /** Default `0.0.0.0:8080`. */
  readonly listen: readonly GatewayListener[];
  /** Address of the admin API, metrics and health; absent: none. */
  readonly admin?: { readonly host: string; readonly port: number; readonly tokenFile?: string };
  /** Networks (CIDR) whose `X-Forwarded-For`, `Forwarded` and PROXY headers are believed. Default: none. */
  readonly trustedProxies: readonly string[];
  readonly discovery: Discovery;
  readonly accessLog: 'json' | 'nginx' | 'off';
  readonly errorBodies: 'json' | 'html';
}

export interface GatewayListener {
  readonly host: string;
  readonly port: number;
  /** Certificates by host name; several make SNI. */
  readonly certificates: readonly { readonly host: string; readonly certificate: string; readonly key: string }[];
  /** Every connection begins with a PROXY protocol header. */
  readonly proxyProtocol: boolean;
}

/** Where the gateway learns of pods. */
export type Discovery =
  | { readonly from: 'static' }
  | {
      readonly from: 'dns';
      readonly name: string;
      readonly record: 'A' | 'SRV';
      readonly port?: number;
      readonly refreshMs: number;
    }
  | { readonly from: 'kubernetes'; readonly namespace: string; readonly service: string; readonly port?: string }
  | { readonly from: 'file'; readonly path: string };
