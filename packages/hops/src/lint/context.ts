import type { Environment } from '@holdfast/policy';
import type { Files } from '../files.js';

/** What rules may know beside the configuration. */
export interface LintContext {
  /** The environments that the configuration is judged for; empty without a policy. */
  readonly environments: readonly Environment[];
  /** Where the policy is from, for messages. */
  readonly policyPath?: string;
  /** Version of nginx, where it is known. */
  readonly nginxVersion?: Version;
  /** For what a configuration names: includes, a Dockerfile's copies. */
  readonly files: Files;
}

/** `1.29.7` as `[1, 29, 7]`. */
export type Version = readonly [number, number, number];

/** Undefined if it is no version. */
export function parseVersion(text: string): Version | undefined {
  const [, major, minor = '0', patch = '0'] = /^v?(\d{1,6})(?:\.(\d{1,6}))?(?:\.(\d{1,6}))?$/.exec(text.trim()) ?? [];
  return major === undefined ? undefined : [Number(major), Number(minor), Number(patch)];
}

export function isAtLeast(version: Version | undefined, wanted: Version): boolean {
  if (version === undefined) return false;
  const at = wanted.findIndex((number, index) => number !== version[index]);
  return at < 0 || (version[at] ?? 0) > (wanted[at] ?? 0);
}

/** A number that a rule compares with, and whose it is. */
export interface Expected {
  readonly ms: number;
  /** `the default ping of plain clients`, `the ping of production in holdfast.yaml`. */
  readonly from: string;
}

/** Ping of clients without holdfast.v1, where no policy says otherwise. */
const PLAIN_PING_MS = 30_000;

/** The longest silence between two pings of a live connection. */
export function pingOf(context: LintContext): Expected {
  return (
    slowest(context, 'ping', ({ keepalive }) =>
      keepalive.application
        ? keepalive.application.pingMs
        : Math.max(keepalive.plainPingMs, keepalive.backgroundPingMs),
    ) ?? { ms: PLAIN_PING_MS, from: 'the default ping of plain clients' }
  );
}

/** The largest of a time over the environments; undefined without a policy. */
export function slowest(
  context: LintContext,
  name: string,
  timeMs: (environment: Environment) => number | undefined,
): Expected | undefined {
  let found: Expected | undefined;
  for (const environment of context.environments) {
    const ms = timeMs(environment);
    if (ms === undefined || (found && found.ms >= ms)) continue;
    found = { ms, from: `the ${name} of ${environment.name} in ${context.policyPath ?? 'the policy'}` };
  }
  return found;
}

/** Paths of the WebSockets of the policy. */
export function webSocketPaths(context: LintContext): string[] {
  const routes = context.environments.flatMap((environment) => environment.routes);
  return [...new Set(routes.filter((route) => route.kind === 'websocket').map((route) => route.path))];
}
