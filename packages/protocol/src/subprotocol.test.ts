import { describe, expect, it } from 'vitest';
import { agreementOf, offerOf } from './subprotocol.js';

/** A server that knows no holdfast and takes the first offer, as many do. */
const first = ([protocol = '']: readonly string[]): string => protocol;

describe('offerOf', () => {
  it('offers what the application asked for, and then the same over holdfast', () => {
    expect(offerOf(['chat', 'chat.2'])).toEqual(['chat', 'chat.2', 'holdfast.v1+chat', 'holdfast.v1+chat.2']);
  });

  it('puts a decoy before holdfast when the application asked for nothing', () => {
    expect(offerOf([])).toEqual(['holdfast.plain', 'holdfast.v1']);
  });

  it('offers nothing twice', () => {
    const offer = offerOf(['a', 'b']);
    expect(new Set(offer).size).toBe(offer.length);
  });
});

describe('agreementOf', () => {
  it.each([
    ['holdfast.v1', { holdfast: true, protocol: '' }],
    ['holdfast.v1+chat', { holdfast: true, protocol: 'chat' }],
    ['chat', { holdfast: false, protocol: 'chat' }],
    ['', { holdfast: false, protocol: '' }],
    ['holdfast.plain', { holdfast: false, protocol: '' }],
    ['holdfast.v2', { holdfast: false, protocol: 'holdfast.v2' }],
  ])('takes %j for %j', (selected, agreement) => expect(agreementOf(selected)).toEqual(agreement));

  it('takes no server that chooses the first offer for one that speaks holdfast', () => {
    expect(agreementOf(first(offerOf([])))).toEqual({ holdfast: false, protocol: '' });
    expect(agreementOf(first(offerOf(['chat'])))).toEqual({ holdfast: false, protocol: 'chat' });
  });
});
