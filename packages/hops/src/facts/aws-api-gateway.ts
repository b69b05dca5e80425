import type { Hop } from '@holdfast/policy';
import { NOTHING } from './words.js';

export const awsApiGateway: Hop = {
  kind: 'aws-api-gateway',
  title: 'AWS API Gateway (WebSocket API)',
  what: 'It ends the WebSocket itself and calls a backend for each message.',
  clocks: [
    {
      name: 'idle',
      title: 'idle timeout',
      kind: 'idle-either',
      defaultMs: 600_000,
      resetBy: 'any message',
      clientSees: '1001 or 1006',
      raise: undefined,
      known: ['documentation'],
    },
    {
      name: 'lifetime',
      title: 'connection duration',
      kind: 'lifetime',
      defaultMs: 7_200_000,
      resetBy: NOTHING,
      clientSees: '1001, "Going away"',
      raise: undefined,
      known: ['documentation'],
    },
  ],
  notes: ['Frames of more than 32 KB and messages of more than 128 KB are closed with 1009.'],
  sources: ['https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html'],
};
