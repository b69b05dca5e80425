import type { Hop } from '@holdfast/policy';
import { PACKET } from './words.js';

export const nat: Hop = {
  kind: 'nat',
  title: 'NAT of homes and mobile networks',
  what: 'Whatever stands between a client and the internet. RFC 5382 asks for 2 h 4 min; studies found 4 to 30 min.',
  clocks: [
    {
      name: 'idle',
      title: 'NAT binding',
      kind: 'silent-l4',
      defaultMs: 240_000,
      resetBy: PACKET,
      clientSees: 'nothing: the connection is half-open until somebody asks',
      raise: undefined,
      known: ['documentation'],
    },
  ],
  notes: ['The 4 min are the shortest of what was measured, not a promise.'],
  sources: [
    'RFC 5382, REQ-5',
    'Hätönen et al., An Experimental Study of Home Gateway Characteristics, IMC 2010',
    'Wang et al., An Untold Story of Middleboxes in Cellular Networks, SIGCOMM 2011',
  ],
};
