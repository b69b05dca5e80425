import type { IncomingMessage } from 'node:http';
import { agreementOf, offerOf } from '@holdfast/protocol';
import { expect, test } from 'vitest';
import { chooseProtocol, offered, speaksHoldfast } from './protocols.js';

const first = (protocols: Set<string>): string | false => [...protocols][0] ?? false;
const offer = (...protocols: string[]): Set<string> => new Set(offerOf(protocols));

test('the names of a request are taken apart', () => {
  const names = (header?: string): string[] =>
    offered({ headers: { 'sec-websocket-protocol': header } } as unknown as IncomingMessage);
  expect(names()).toEqual([]);
  expect(names('chat, superchat ,,x')).toEqual(['chat', 'superchat', 'x']);
});

test('who offers holdfast.v1, alone or with a subprotocol, speaks it', () => {
  expect(speaksHoldfast(offer())).toBe(true);
  expect(speaksHoldfast(offer('chat'))).toBe(true);
  expect(speaksHoldfast(['chat', 'holdfast.v2', 'holdfast.v1x'])).toBe(false);
});

test('a client without subprotocols gets a session, and the application is not asked', () => {
  const asked: unknown[] = [];
  const chosen = chooseProtocol(offer(), (protocols) => {
    asked.push(protocols);
    return false;
  });
  expect(agreementOf(chosen as string)).toEqual({ holdfast: true, protocol: '' });
  expect(asked).toEqual([]);
});

test('the application chooses among its own subprotocols, and the choice is made over a session', () => {
  const asked: string[][] = [];
  const chosen = chooseProtocol(offer('chat', 'superchat'), (protocols) => {
    asked.push([...protocols]);
    return 'superchat';
  });
  expect(asked).toEqual([['chat', 'superchat']]);
  expect(agreementOf(chosen as string)).toEqual({ holdfast: true, protocol: 'superchat' });
});

test('as with ws the first is chosen by default', () => {
  expect(chooseProtocol(offer('chat', 'superchat'), first)).toBe('holdfast.v1+chat');
});

test('a plain client is chosen for as with ws', () => {
  expect(chooseProtocol(new Set(['chat', 'superchat']), first)).toBe('chat');
  expect(chooseProtocol(new Set(['chat']), () => false)).toBe(false);
});

test('nothing is agreed on that was not offered, and nothing when the application wants none', () => {
  expect(chooseProtocol(offer('chat'), () => 'other')).toBe(false);
  expect(chooseProtocol(offer('chat'), () => false)).toBe(false);
});
