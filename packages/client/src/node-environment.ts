import {
  OPTION,
  HoldfastError,
  secondsToMs,
  WEBSOCKET_VARIABLES,
  type ConnectLimits,
  type Variables,
} from '@holdfast/protocol';

/** Those of the limits that `WEBSOCKET_*` variables set which are a client's; the rest it hears from the server. */
const LIMITS = ['connectMs', 'handshakeMs', 'pingMs', 'closeMs'] as const;

/** The limits that `WEBSOCKET_*` variables set, in seconds; a fraction is allowed. */
export function limitsOf(variables: Variables): Partial<ConnectLimits> {
  const limits: Partial<Record<keyof ConnectLimits, number>> = {};
  for (const [variable, fields] of Object.entries(WEBSOCKET_VARIABLES)) {
    const limit = LIMITS.find((name) => (fields as readonly string[]).includes(`connect.${name}`));
    const value = variables[variable];
    if (!limit || !value) continue;
    limits[limit] = secondsToMs(value) ?? refuse(`${variable}=${value} is not a number of seconds`);
  }
  return limits as Partial<ConnectLimits>;
}

function refuse(detail: string): never {
  throw new HoldfastError(OPTION, detail);
}
