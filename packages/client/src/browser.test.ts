import { afterEach, describe, expect, it, vi } from 'vitest';
import { WebSocket } from './browser.js';
import { stage } from './fake-socket.fixture.js';

afterEach(() => vi.unstubAllGlobals());

describe('the entry for browsers', () => {
  const { environment: _, ...options } = stage().options;

  it('takes a URL relative to the document', () => {
    vi.stubGlobal('location', { href: 'https://page.test/not/this' });
    vi.stubGlobal(
      'document',
      Object.assign(new EventTarget(), { baseURI: 'https://page.test/app/', visibilityState: 'visible' }),
    );
    expect(new WebSocket('chat', [], options).url).toBe('wss://page.test/app/chat');
  });

  it('takes a URL relative to the script in a worker, which has no document', () => {
    vi.stubGlobal('location', { href: 'http://page.test:81/worker.js' });
    expect(new WebSocket('/chat', [], options).url).toBe('ws://page.test:81/chat');
  });

  it.each([
    ['ws://localhost:3000', 'development', 'localhost'],
    ['wss://server.test', 'production', 'server.test'],
  ])('takes the environment from the host of %s', (url, name, from) => {
    expect(new WebSocket(url, [], options).getStatistics().environment).toEqual({ name, from });
  });
});
