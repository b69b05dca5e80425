/** The WebSocket subprotocol by which the two ends find each other. */
export const SUBPROTOCOL = 'holdfast.v1';

/**
 * Offered before {@link SUBPROTOCOL} by a client without application subprotocols, and chosen by nobody who knows it. Many servers
 * take the first offer whatever it is; without this they would claim to speak holdfast.v1.
 */
const DECOY = 'holdfast.plain';

/** What a client offers, in order: every application subprotocol as it is, then each over holdfast. */
export const offerOf = (protocols: readonly string[]): string[] =>
  protocols.length === 0
    ? [DECOY, SUBPROTOCOL]
    : [...protocols, ...protocols.map((protocol) => `${SUBPROTOCOL}+${protocol}`)];

/** What was agreed on: whether sessions are spoken, and the application's subprotocol ('' for none). */
export interface Agreement {
  readonly holdfast: boolean;
  readonly protocol: string;
}

export function agreementOf(selected: string): Agreement {
  if (selected === SUBPROTOCOL) return { holdfast: true, protocol: '' };
  if (selected.startsWith(`${SUBPROTOCOL}+`)) {
    return { holdfast: true, protocol: selected.slice(SUBPROTOCOL.length + 1) };
  }
  return { holdfast: false, protocol: selected === DECOY ? '' : selected };
}
