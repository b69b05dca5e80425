import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect, it } from 'vitest';
import { freePort } from './free-port.js';

it('freePort gives a port that a server can listen on at once', async () => {
  const port = await freePort();
  const server = createServer().listen({ host: '127.0.0.1', port });
  await once(server, 'listening');
  server.close();
  await once(server, 'close');
  expect(port).toBeGreaterThan(0);
});
