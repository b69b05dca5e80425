import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { decode, encode, offerOf, type FrameOf, isFault } from '@holdfast/protocol';
import { startProcess } from '@holdfast/testing';
import { expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { ECHO, moduleFolder, serveArgs } from './serve.fixture.js';

const POLICY = `name: numbers
environments:
  prod:
    hosts: [localhost]
    routes: [{websocket: /}]
    keepalive: {ping: 3s, dead: 9s, backgroundPing: 20s, backgroundDead: 41s}
    connect: {session: 5m, retryMin: 700ms}
    limits: {message: 64KiB}
`;

/** The numbers that a client is told when it opens a session. */
async function welcomeOf(url: string): Promise<FrameOf<'welcome'>['body']> {
  const ws = new WebSocket(url, [...offerOf([])]);
  try {
    return await new Promise((resolve, reject) => {
      ws.on('error', reject);
      ws.on('open', () => ws.send(encode({ type: 'hello', body: HELLO }).data));
      ws.on('message', (data: Buffer) => {
        const frame = decode(data.toString(), false);
        if (!isFault(frame) && frame.type === 'welcome') resolve(frame.body);
      });
      ws.on('close', (code, reason) => reject(new Error(`closed with ${code} ${String(reason)}`)));
    });
  } finally {
    ws.terminate();
  }
}

const HELLO: FrameOf<'hello'>['body'] = { window: { messages: 16, bytes: 65_536 } };

it('a client is told the numbers of the policy that its server was started with, and of the variables before it', async () => {
  using module = moduleFolder(ECHO);
  writeFileSync(join(module.folder, 'holdfast.yaml'), POLICY);
  await using serving = await startProcess({
    command: process.execPath,
    args: serveArgs(module.folder, ['-f', 'holdfast.yaml', '--env', 'prod']),
    cwd: module.folder,
    env: { WEBSOCKET_CONNECTION_TIMEOUT: '1200' },
    ready: /"event":"listening".*"url":"([^"]+)"/,
  });
  const { policy } = await welcomeOf(serving.readyMatch?.[1]?.replace('http', 'ws') ?? '');
  expect(policy).toMatchObject({
    pingMs: 3_000,
    deadMs: 9_000,
    backgroundPingMs: 20_000,
    backgroundDeadMs: 41_000,
    sessionMs: 1_200_000,
    retryMinMs: 700,
    maxPayloadBytes: 65_536,
  });
});
