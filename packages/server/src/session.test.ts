import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { SessionData } from './session.js';

function setUp(json?: string) {
  const saved: string[] = [];
  const failures: unknown[] = [];
  const state = { isHandling: false };
  const data = new SessionData(json, {
    save: (next) => saved.push(next),
    isHandling: () => state.isHandling,
    failed: (error) => failures.push(error),
  });
  return { data, saved, failures, state };
}

test('data begins empty, or as it was kept', () => {
  expect(setUp().data.value).toEqual({});
  expect(setUp('{"name":"Ada"}').data.value).toEqual({ name: 'Ada' });
});

test('changes anywhere inside are saved, once a turn', async () => {
  const { data, saved } = setUp('{"list":[1],"deep":{"er":{}}}');
  data.value['name'] = 'Ada';
  (data.value['list'] as number[]).push(2);
  ((data.value['deep'] as Record<string, unknown>)['er'] as Record<string, unknown>)['est'] = true;
  delete data.value['gone'];
  Object.defineProperty(data.value, 'defined', { value: 1, enumerable: true, configurable: true, writable: true });
  expect(saved).toEqual([]);
  await nextTurn();
  expect(saved.map((json) => JSON.parse(json) as unknown)).toEqual([
    { list: [1, 2], deep: { er: { est: true } }, name: 'Ada', defined: 1 },
  ]);
});

test('each way to change it is noticed by itself', async () => {
  for (const change of [
    (value: Record<string, unknown>) => (value['a'] = 1),
    (value: Record<string, unknown>) => delete value['b'],
    (value: Record<string, unknown>) => Object.assign(value, { c: 1 }),
    (value: Record<string, unknown>) => Object.defineProperty(value, 'd', { value: 1, configurable: true }),
    (value: Record<string, unknown>) => (value['list'] as number[]).splice(0, 1),
  ]) {
    const { data, saved } = setUp('{"b":1,"list":[1,2]}');
    change(data.value);
    await nextTurn();
    expect(saved).toHaveLength(1);
  }
});

test('it can be replaced as a whole', async () => {
  const { data, saved } = setUp('{"old":1}');
  data.value = { fresh: true };
  data.value['more'] = 1;
  await nextTurn();
  expect(saved).toEqual(['{"fresh":true,"more":1}']);
});

test('a flush writes at once what has changed, and nothing twice', async () => {
  const { data, saved } = setUp();
  data.flush();
  data.value['a'] = 1;
  data.flush();
  await nextTurn();
  expect(saved).toEqual(['{"a":1}']);
});

test('what an asynchronous handler changes is left to be taken', async () => {
  const { data, saved, state } = setUp();
  expect(data.take()).toBeUndefined();
  state.isHandling = true;
  data.value['a'] = 1;
  await nextTurn();
  expect(saved).toEqual([]);
  expect(data.take()).toBe('{"a":1}');
  state.isHandling = false;
  data.value['b'] = 2;
  await nextTurn();
  expect(saved).toEqual(['{"a":1,"b":2}']);
});

test('what is no JSON, or too much of it, is refused with a coded error', async () => {
  const { data, saved, failures } = setUp();
  const circular: Record<string, unknown> = {};
  circular['self'] = circular;
  expect(() => (data.value = circular)).toThrow('HF_DATA');
  expect(() => (data.value = { big: 'x'.repeat(70_000) })).toThrow('HF_DATA');
  expect(() => (data.value = null as never)).toThrow('HF_DATA');
  expect(data.value).toEqual({});
  data.value['big'] = 'x'.repeat(70_000);
  expect(() => data.flush()).toThrow('HF_DATA');
  data.value['more'] = 'x';
  await nextTurn();
  expect(saved).toEqual(['{"more":"x"}']);
  data.value['big'] = 'x'.repeat(70_000);
  await nextTurn();
  expect(failures).toMatchObject([{ code: 'HF_DATA' }]);
  expect(data.value).toEqual({ more: 'x' });
});

test('data that could not be written now is written with the next change', async () => {
  const saved: string[] = [];
  let isFull = true;
  const data = new SessionData(undefined, {
    save: (json) => {
      if (isFull) throw new Error('full');
      saved.push(json);
    },
    isHandling: () => false,
    failed: () => undefined,
  });
  data.value['a'] = 1;
  await nextTurn();
  isFull = false;
  data.flush();
  expect(saved).toEqual(['{"a":1}']);
});

test('a name like __proto__ is a name', async () => {
  const { data, saved } = setUp('{"__proto__":{"polluted":true}}');
  expect((data.value as { polluted?: boolean }).polluted).toBeUndefined();
  data.value['a'] = 1;
  await nextTurn();
  expect(saved).toEqual(['{"__proto__":{"polluted":true},"a":1}']);
});
