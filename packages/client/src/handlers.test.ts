import { describe, expect, it } from 'vitest';
import { Handlers } from './handlers.js';

describe('an event handler attribute', () => {
  const setUp = () => {
    const target = new EventTarget();
    const calls: string[] = [];
    const fire = () => {
      calls.length = 0;
      target.dispatchEvent(new Event('x'));
      return calls;
    };
    const note = (word: string) => () => void calls.push(word);
    return { target, handlers: new Handlers(target), fire, note };
  };

  it('is null until it is set', () => {
    expect(setUp().handlers.get('x')).toBeNull();
  });

  it('keeps its place among the listeners while it is replaced', () => {
    const { target, handlers, fire, note } = setUp();
    handlers.set('x', note('first'));
    target.addEventListener('x', note('listener'));
    const second = note('second');
    handlers.set('x', second);
    expect(handlers.get('x')).toBe(second);
    expect(fire()).toEqual(['second', 'listener']);
  });

  it('loses its place when it is set to null', () => {
    const { target, handlers, fire, note } = setUp();
    handlers.set('x', note('first'));
    target.addEventListener('x', note('listener'));
    handlers.set('x', null);
    expect(fire()).toEqual(['listener']);
    handlers.set('x', note('again'));
    expect(fire()).toEqual(['listener', 'again']);
  });

  it('takes what is no object for null, and keeps an object that cannot be called', () => {
    const { handlers, fire, note } = setUp();
    handlers.set('x', note('first'));
    handlers.set('x', 'text');
    expect(handlers.get('x')).toBeNull();
    const object = {};
    handlers.set('x', object);
    expect(handlers.get('x')).toBe(object);
    expect(fire()).toEqual([]);
  });

  it('is called with the target as `this`', () => {
    const { target, handlers, fire } = setUp();
    const selves: unknown[] = [];
    handlers.set('x', function (this: unknown) {
      selves.push(this);
    });
    fire();
    expect(selves).toEqual([target]);
  });
});
