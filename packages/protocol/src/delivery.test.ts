import { describe, expect, it } from 'vitest';
import { Delivery } from './delivery.js';
import { encode } from './encode.js';
import { Fifo } from './fifo.js';
import type { LogEntry, ServerOutput } from './server-output.js';

const entry = (offset: number): LogEntry => ({ offset, data: new Uint8Array(1), binary: false });

function setUp(sentBefore: number[]) {
  const said: string[] = [];
  const delivery = new Delivery(
    new Fifo<ServerOutput>(),
    {
      frame: (frame) => said.push(encode(frame).data as string),
      entry: (topic, { offset }) => said.push(`${topic} ${offset}`),
    },
    [{ topic: '', epoch: 'e', offset: 0, end: 0 }],
  );
  delivery.begin({ messages: 100, bytes: 100 });
  delivery.subscribed('news', 'te', 4, 4);
  for (const offset of sentBefore) delivery.entry('news', entry(offset), true);
  said.length = 0;
  return { delivery, said };
}

// Seed 1213 of the simulator: a topic is left and followed again in one turn, and written to behind that. A read that was on its way
// brings what was written before the pod hears that it was left.
describe('a topic that is left and followed again', () => {
  it('does not say again what was sent before the leaving was heard of', () => {
    const { delivery, said } = setUp([5, 6]);
    delivery.unsubscribed('news');
    delivery.subscribed('news', 'te', 5, 5);
    delivery.entry('news', entry(6), true);
    delivery.entry('news', entry(7), true);
    expect(said).toEqual(['unsub news\n', 'sub 6 te news\n', 'news 7']);
  });

  it('goes on behind the subscription if the client comes back without that', () => {
    const { delivery } = setUp([5, 6]);
    delivery.unsubscribed('news');
    delivery.subscribed('news', 'te', 5, 6);
    delivery.begin({ messages: 100, bytes: 100 });
    delivery.goOn({ topic: 'news', epoch: 'te', offset: 4 });
    expect(delivery.ranges[1]).toMatchObject({ topic: 'news', offset: 5, end: 6 });
  });

  it('begins where the new subscription does, in another epoch or on another transport', () => {
    const { delivery, said } = setUp([5, 6]);
    delivery.unsubscribed('news');
    delivery.subscribed('news', 'other', 2, 2);
    delivery.unsubscribed('news');
    delivery.begin({ messages: 100, bytes: 100 });
    delivery.subscribed('news', 'other', 1, 1);
    expect(said).toEqual(['unsub news\n', 'sub 2 other news\n', 'unsub news\n', 'sub 1 other news\n']);
  });
});
