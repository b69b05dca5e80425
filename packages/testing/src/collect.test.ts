import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import { collect } from './collect.js';

describe('collect', () => {
  it('keeps what an emitter emitted before and after the wait began', async () => {
    const emitter = new EventEmitter();
    const words = collect<string>(emitter, 'word');
    emitter.emit('word', 'one');
    const three = words.waitFor(3);
    emitter.emit('word', 'two');
    emitter.emit('word', 'three');
    emitter.emit('word', 'four');
    expect(await three).toEqual(['one', 'two', 'three']);
    expect(await words.waitFor(2)).toEqual(['one', 'two']);
    expect(words.items).toEqual(['one', 'two', 'three', 'four']);
  });

  it('listens to an EventTarget and maps its events', async () => {
    const target = new EventTarget();
    const types = collect(target, 'ping', { map: (event: Event) => event.type });
    target.dispatchEvent(new Event('ping'));
    expect(await types.waitFor(1)).toEqual(['ping']);
    types.stop();
    target.dispatchEvent(new Event('ping'));
    expect(types.items).toHaveLength(1);
  });

  it('says how many came when the time is up', async () => {
    const emitter = new EventEmitter();
    const words = collect(emitter, 'word');
    emitter.emit('word', 'one');
    await expect(words.waitFor(2, 1)).rejects.toThrow("timed out after 1 ms with 1 of 2 'word' events");
  });

  it('stops at its bound and fails the waits, also later ones', async () => {
    const emitter = new EventEmitter();
    const words = collect(emitter, 'word', { itemsMax: 2 });
    const never = expect(words.waitFor(5)).rejects.toThrow("more than 2 'word' events came (itemsMax)");
    for (let i = 0; i < 3; i++) emitter.emit('word', i);
    await never;
    await expect(words.waitFor(3)).rejects.toThrow('itemsMax');
    expect(words.items).toEqual([0, 1]);
    expect(emitter.listenerCount('word')).toBe(0);
  });

  it('leaves no listener behind when stopped or disposed of', () => {
    const emitter = new EventEmitter();
    collect(emitter, 'word').stop();
    collect(emitter, 'word')[Symbol.dispose]();
    expect(emitter.listenerCount('word')).toBe(0);
  });
});
