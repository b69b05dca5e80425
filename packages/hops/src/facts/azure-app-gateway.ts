import type { Hop } from '@holdfast/policy';
import { EITHER, GONE } from './words.js';

export const azureAppGateway: Hop = {
  kind: 'azure-app-gateway',
  title: 'Azure Application Gateway',
  what: 'Its request timeout holds for WebSockets too.',
  clocks: [
    {
      name: 'idle',
      title: 'request timeout',
      kind: 'idle-either',
      defaultMs: 20_000,
      resetBy: EITHER,
      clientSees: GONE,
      raise: 'request timeout of the backend setting',
      known: ['documentation', 'unverified'],
    },
  ],
  notes: ['Health probes must be plain HTTP.'],
  sources: ['https://learn.microsoft.com/azure/application-gateway/application-gateway-websocket'],
};
