import type { Hop } from '@holdfast/policy';
import { EITHER, GONE } from './words.js';

export const cloudfront: Hop = {
  kind: 'cloudfront',
  title: 'Amazon CloudFront',
  what: 'It passes WebSockets on if the `Sec-WebSocket-*` headers are forwarded (origin request policy AllViewer).',
  clocks: [
    {
      name: 'idle',
      title: 'idle timeout',
      kind: 'idle-either',
      defaultMs: 600_000,
      resetBy: EITHER,
      clientSees: GONE,
      raise: undefined,
      known: ['documentation', 'secondhand'],
    },
  ],
  notes: [],
  sources: [
    'https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/distribution-working-with.websockets.html',
  ],
};
