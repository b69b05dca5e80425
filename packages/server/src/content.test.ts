import { expect, test } from 'vitest';
import { checkTopic, toContent, type SendData } from './content.js';

test.each<[string, SendData, string, boolean]>([
  ['text', 'häh', 'häh', false],
  ['a number', 42, '42', false],
  ['a Buffer', Buffer.from('abc'), 'abc', true],
  ['a view of a part', new Uint8Array(Buffer.from('xabcx')).subarray(1, 4), 'abc', true],
  ['a DataView', new DataView(Uint8Array.from(Buffer.from('abc')).buffer), 'abc', true],
  ['an ArrayBuffer', Uint8Array.from(Buffer.from('abc')).buffer, 'abc', true],
  ['fragments', [Buffer.from('ab'), Buffer.from('c')], 'abc', true],
  ['numbers', [97, 98, 99], 'abc', true],
  ['nothing', undefined as never, '', true],
  ['no fragments', [], '', true],
])('%s becomes its bytes', (_, data, text, binary) => {
  const content = toContent(data);
  expect(Buffer.from(content.data).toString()).toBe(text);
  expect(content.binary).toBe(binary);
});

test('the caller says whether bytes are text, and the other way round', () => {
  expect(toContent(Buffer.from('abc'), false).binary).toBe(false);
  expect(toContent('abc', true).binary).toBe(true);
});

test('the bytes are a copy', () => {
  const source = Buffer.from('abc');
  const { data } = toContent(source);
  source.fill(0);
  expect(Buffer.from(data).toString()).toBe('abc');
});

test('what has no bytes at hand is refused, not sent empty', () => {
  expect(() => toContent(new Blob(['abc']) as never)).toThrow(TypeError);
  expect(() => toContent({} as never)).toThrow(TypeError);
});

test('a topic has a name that fits', () => {
  expect(checkTopic('room/ä b')).toBe('room/ä b');
  for (const bad of ['', 'x'.repeat(129), '\ud800', 7 as never]) expect(() => checkTopic(bad)).toThrow('HF_TOPIC');
});
