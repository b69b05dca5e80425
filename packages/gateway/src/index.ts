export { systemClock, type Clock } from './clock.js';
export * from './pool/index.js';
export { Account, type Side, type Traffic } from './account.js';
export type { Carriage, Carrier, Exchange, ExchangeLimits, Leave } from './exchange.js';
export { Gateway, type GatewayOptions } from './gateway.js';
export type { Refusal } from './refusal.js';
