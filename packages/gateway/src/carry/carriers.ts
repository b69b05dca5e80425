import type { Carry, Route } from '@holdfast/policy';
import { agreementOf } from '@holdfast/protocol';
import type { Carrier } from '../exchange.js';
import { createHold } from './hold/hold.js';
import { relay } from './relay.js';
import { createSoft } from './soft/soft.js';

/** Says which carrier a WebSocket gets, by its route and the subprotocols that its client offers. */
export function createCarriers(): (route: Route, protocols: readonly string[]) => Carrier {
  const soft = createSoft();
  const hold = createHold(soft);
  const carriers: Readonly<Record<Exclude<Carry, 'auto'>, Carrier>> = { relay, soft, hold };
  return ({ carry }, protocols) => {
    if (carry !== 'auto') return carriers[carry];
    return protocols.some((name) => agreementOf(name).holdfast) ? soft : relay;
  };
}
