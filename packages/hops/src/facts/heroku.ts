import type { Hop } from '@holdfast/policy';

export const heroku: Hop = {
  kind: 'heroku',
  title: 'Heroku router',
  what: 'It has a rolling window for each direction: bytes of the server do nothing for that of the client.',
  clocks: [
    {
      name: 'idle',
      title: 'H15 and H28',
      kind: 'idle-each-direction',
      defaultMs: 55_000,
      resetBy: 'bytes of its own direction alone',
      clientSees: '1006; H15 when the dyno was silent, H28 when the client was',
      raise: undefined,
      known: ['documentation'],
    },
  ],
  notes: ['A heartbeat must move bytes both ways. RFC 6455 pings do, as pongs answer them.'],
  sources: ['https://devcenter.heroku.com/articles/http-routing'],
};
