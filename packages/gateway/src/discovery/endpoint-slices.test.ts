import { describe, expect, it } from 'vitest';
import { podsOf, type EndpointSlice } from './endpoint-slices.js';

const pod = (name: string, address: string, conditions = {}) => ({
  addresses: [address],
  conditions,
  targetRef: { kind: 'Pod', name },
});
const slice = (endpoints: EndpointSlice['endpoints'], more: Partial<EndpointSlice> = {}): EndpointSlice => ({
  addressType: 'IPv4',
  ports: [
    { name: 'dns', port: 53, protocol: 'UDP' },
    { name: 'ws', port: 8080, protocol: 'TCP' },
    { name: 'admin', port: 9090, protocol: 'TCP' },
  ],
  endpoints,
  ...more,
});

describe('podsOf', () => {
  it.each([
    ['ready', { ready: true, serving: true, terminating: false }, { ready: true, draining: false }],
    ['of which nothing is said', {}, { ready: true, draining: false }],
    ['not ready', { ready: false, serving: false, terminating: false }, { ready: false, draining: false }],
    ['terminating, and serving', { ready: false, serving: true, terminating: true }, { ready: true, draining: true }],
  ])('finds a pod that is %s', (_, conditions, expected) => {
    const [found] = podsOf([slice([pod('web-0', '10.0.0.1', conditions)])]);
    expect(found).toEqual({ id: 'web-0', host: '10.0.0.1', port: 8080, ...expected });
  });

  it('leaves out a pod that is terminating and serves no more', () => {
    const conditions = { ready: false, serving: false, terminating: true };
    expect(podsOf([slice([pod('web-0', '10.0.0.1', conditions)])])).toEqual([]);
  });

  it('takes the port that is named, and no slice without it', () => {
    const two = [slice([pod('web-0', '10.0.0.1')]), slice([pod('web-1', '10.0.0.2')], { ports: null })];
    expect(podsOf(two, 'admin').map(({ id, port }) => [id, port])).toEqual([['web-0', 9090]]);
    expect(podsOf(two, '9090').map(({ port }) => port)).toEqual([9090]);
    expect(podsOf(two, 'nothing')).toEqual([]);
  });

  it('counts a pod once that is in two slices, as the better of the two', () => {
    const old = slice([pod('web-0', '10.0.0.1', { ready: false })]);
    const young = slice([pod('web-0', '10.0.0.1', { ready: true })]);
    for (const both of [
      [old, young],
      [young, old],
    ])
      expect(podsOf(both).map(({ ready }) => ready)).toEqual([true]);
  });

  it('names what is no pod by its address, and takes no names for addresses', () => {
    const external = slice([{ addresses: ['2001:db8::1'] }], { addressType: 'IPv6' });
    expect(podsOf([external]).map(({ id }) => id)).toEqual(['[2001:db8::1]:8080']);
    expect(podsOf([slice([{ addresses: ['db.example'] }], { addressType: 'FQDN' })])).toEqual([]);
    expect(podsOf([slice(null), slice([{ addresses: [] }]), {}])).toEqual([]);
  });
});
