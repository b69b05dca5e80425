import { expect, it } from 'vitest';
import { CloseEvent } from './close-event.js';

it('makes a CloseEvent like that of a browser', () => {
  expect(new CloseEvent('close')).toMatchObject({ type: 'close', code: 0, reason: '', wasClean: false });
  const event = new CloseEvent('close', { code: 1000, reason: 'done', wasClean: true });
  expect(event).toMatchObject({ code: 1000, reason: 'done', wasClean: true });
  expect(event).toBeInstanceOf(Event);
});
