import { errors, HoldfastError, type ConnectLimits } from '@holdfast/protocol';
import type { DetectedEnvironment, Environment } from './platform.js';

/** The environment variables of a process. */
export type Variables = Readonly<Record<string, string | undefined>>;

/** What people write into `ENVIRONMENT` and `NODE_ENV`. */
const NAMES: ReadonlyMap<string | undefined, Environment> = new Map([
  ['dev', 'development'],
  ['development', 'development'],
  ['local', 'development'],
  ['test', 'development'],
  ['stage', 'staging'],
  ['staging', 'staging'],
  ['prod', 'production'],
  ['production', 'production'],
]);

/** Set by the platform itself, and never on a developer's machine: Cloud Run, Lambda and other AWS runtimes, ECS, Azure. */
const HOSTED = [
  'K_SERVICE',
  'AWS_EXECUTION_ENV',
  'AWS_LAMBDA_FUNCTION_NAME',
  'ECS_CONTAINER_METADATA_URI',
  'WEBSITE_SITE_NAME',
];

/** An explicit word first, then the signs of a hosting platform; else someone's own machine. */
export function environmentOf(variables: Variables): DetectedEnvironment {
  for (const from of ['ENVIRONMENT', 'NODE_ENV']) {
    const name = NAMES.get(variables[from]?.toLowerCase());
    if (name) return { name, from };
  }
  const from = HOSTED.find((variable) => variables[variable]);
  return from === undefined ? { name: 'development', from: 'default' } : { name: 'production', from };
}

const LIMITS_IN_SECONDS = {
  WEBSOCKET_CONNECT_TIMEOUT: 'connectMs',
  WEBSOCKET_HANDSHAKE_TIMEOUT: 'handshakeMs',
  WEBSOCKET_PING_TIMEOUT: 'pingMs',
  WEBSOCKET_CLOSE_TIMEOUT: 'closeMs',
} as const;

/** The limits that `WEBSOCKET_*` variables set, in seconds; a fraction is allowed. */
export function limitsOf(variables: Variables): Partial<ConnectLimits> {
  const limits: Partial<Record<keyof ConnectLimits, number>> = {};
  for (const [variable, limit] of Object.entries(LIMITS_IN_SECONDS)) {
    const value = variables[variable];
    if (!value) continue;
    const seconds = Number(value);
    if (!(seconds > 0 && seconds < Infinity))
      throw new HoldfastError(errors.OPTION, `${variable}=${value} is not a number of seconds`);
    limits[limit] = seconds * 1_000;
  }
  return limits as Partial<ConnectLimits>;
}
