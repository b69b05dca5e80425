/** The environment variables of a process. */
export type Variables = Readonly<Record<string, string | undefined>>;

export type EnvironmentName = 'development' | 'staging' | 'production';

/** Where a program runs, and what told so: the name of a variable, or `default`. */
export interface Surroundings {
  readonly name: EnvironmentName;
  readonly from: string;
}

/** What people write into `ENVIRONMENT` and `NODE_ENV`, and call the environments of a policy. */
const NAMES: ReadonlyMap<string | undefined, EnvironmentName> = new Map([
  ['debug', 'development'],
  ['dev', 'development'],
  ['development', 'development'],
  ['local', 'development'],
  ['test', 'development'],
  ['stage', 'staging'],
  ['staging', 'staging'],
  ['prod', 'production'],
  ['production', 'production'],
]);

/** The environment that a word stands for, in any case. */
export const environmentNamed = (word: string | undefined): EnvironmentName | undefined =>
  NAMES.get(word?.toLowerCase());

/** Set by the platform itself, and never on a developer's machine: Cloud Run, Lambda and other AWS runtimes, ECS, Azure. */
const HOSTED = [
  'K_SERVICE',
  'AWS_EXECUTION_ENV',
  'AWS_LAMBDA_FUNCTION_NAME',
  'ECS_CONTAINER_METADATA_URI',
  'WEBSITE_SITE_NAME',
  'CONTAINER_APP_NAME',
];

/** An explicit word first, then the signs of a hosting platform; else someone's own machine. */
export function surroundingsOf(variables: Variables): Surroundings {
  for (const from of ['ENVIRONMENT', 'NODE_ENV']) {
    const name = environmentNamed(variables[from]);
    if (name) return { name, from };
  }
  const from = HOSTED.find((variable) => variables[variable]);
  return from === undefined ? { name: 'development', from: 'default' } : { name: 'production', from };
}

/**
 * The variables that go before all files and defaults, in seconds, and the limits that each sets: fields of `keepalive` and
 * `connect` in a policy. Whoever says "heartbeat" means sessions and plain clients alike.
 */
export const WEBSOCKET_VARIABLES = {
  WEBSOCKET_CONNECTION_TIMEOUT: ['connect.sessionMs'],
  WEBSOCKET_HEARTBEAT_INTERVAL: ['keepalive.pingMs', 'keepalive.plainPingMs'],
  WEBSOCKET_HEARTBEAT_TIMEOUT: ['keepalive.deadMs', 'keepalive.plainPongMs'],
  WEBSOCKET_CLEANUP_INTERVAL: ['connect.cleanupMs'],
  WEBSOCKET_CONNECT_TIMEOUT: ['connect.connectMs'],
  WEBSOCKET_HANDSHAKE_TIMEOUT: ['connect.handshakeMs'],
  WEBSOCKET_PING_TIMEOUT: ['connect.pingMs'],
  WEBSOCKET_CLOSE_TIMEOUT: ['connect.closeMs'],
} as const;

/** A number of seconds that a variable may hold, in milliseconds; undefined if it is none. A fraction is allowed. */
export function secondsToMs(value: string): number | undefined {
  const seconds = Number(value);
  return seconds > 0 && seconds < Infinity ? Math.max(1, Math.round(seconds * 1_000)) : undefined;
}
