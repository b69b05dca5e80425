import { describe, expect, it } from 'vitest';
import { readPods } from './pod-list.js';

describe('readPods', () => {
  it.each([
    ['addresses', '- 10.0.0.7:8080\n- web.example:80\n- "[2001:db8::1]:81"'],
    ['JSON', '["10.0.0.7:8080", "web.example:80", "[2001:db8::1]:81"]'],
    ['a list under pods', 'pods:\n  - 10.0.0.7:8080\n  - web.example:80\n  - "[2001:db8::1]:81"'],
  ])('takes %s', (_, text) => {
    expect(readPods(text)).toEqual([
      { host: '10.0.0.7', port: 8_080 },
      { host: 'web.example', port: 80 },
      { host: '2001:db8::1', port: 81 },
    ]);
  });

  it('takes objects with all that a pod may have', () => {
    expect(readPods('[{host: 10.0.0.7, port: 80, id: web-0, weight: 2, backup: true, draining: true}]')).toEqual([
      { host: '10.0.0.7', port: 80, id: 'web-0', weight: 2, backup: true, draining: true },
    ]);
    expect(readPods('[{host: h, port: 80}]')).toEqual([
      { host: 'h', port: 80, id: undefined, weight: 1, backup: false, draining: false },
    ]);
  });

  it('takes an empty list for what it is: no pods', () => expect(readPods('[]')).toEqual([]));

  it.each([
    ['nothing', '', /^not a list/],
    ['no list', 'pods: 3', /^not a list/],
    ['an address without a port', '- 10.0.0.7:80\n- 10.0.0.8', /^pod 2 /],
    ['a port that cannot be', '- 10.0.0.7:70000', /^pod 1 /],
    ['a host that is none', '- "a b:80"', /^pod 1 /],
    ['brackets around IPv4', '- "[10.0.0.7]:80"', /^pod 1 /],
    ['a port in words', '- {host: h, port: eighty}', /^pod 1 /],
    ['a weight of nothing', '- {host: h, port: 80, weight: 0}', /^pod 1 /],
    ['an id that is a number', '- {host: h, port: 80, id: 3}', /^pod 1 /],
    ['a list in a list', '- [10.0.0.7:80]', /^pod 1 /],
    ['no YAML', '- "10.0.0.7', /Missing closing/],
    ['aliases', 'a: &a [x:1]\npods: [*a, *a]', /alias/i],
  ])('refuses %s', (_, text, message) => expect(() => readPods(text)).toThrow(message));
});
