import { DEFAULT_CLIENT_WINDOW, DEFAULT_CONNECT_LIMITS } from '@holdfast/protocol';
import { describe, expect, it } from 'vitest';
import { checkOptions, settle, type WebSocketOptions } from './options.js';
import type { Platform } from './platform.js';

const platform: Platform = {
  CloseEvent: Event as never,
  baseUrl: () => undefined,
  environment: () => ({ name: 'staging', from: 'ENVIRONMENT' }),
  limits: () => ({ connectMs: 7_000 }),
  lifecycle: () => undefined,
  dial: () => () => {
    throw new Error('never called');
  },
};
const url = new URL('ws://server.test');
const settled = (options: WebSocketOptions) => settle(options, platform, url);

describe('checkOptions', () => {
  it.each([
    [{ auth: 7 }],
    [{ auth: 'x'.repeat(8_193) }],
    [{ maxBufferedBytes: 0 }],
    [{ maxBufferedBytes: '16' }],
    [{ window: { messages: 1 } }],
    [{ window: { messages: 0, bytes: 1 } }],
    [{ window: { messages: 1, bytes: 1.5 } }],
    [{ connectMs: Infinity }],
    [{ connectMs: -1 }],
    [{ handshakeMs: Number.NaN }],
    [{ pingMs: '5' }],
    [{ closeMs: 0 }],
    [{ progressiveMs: 3_000 }],
    [{ progressiveMs: [0] }],
    [{ environment: 'prod' }],
    [{ environment: 'toString' }],
    [{ maxAttempts: 0 }],
    [{ breaker: {} }],
    [{ breaker: null }],
    [{ fallback: 1 }],
    [{ sessionInUrl: 'no' }],
    [{ WebSocket: {} }],
    [{ transport: 'x' }],
    [{ lifecycle: true }],
    [{ clock: {} }],
    [{ random: 0.5 }],
    [{ headers: {} }],
    [{ constructor: 1 }],
  ])('refuses %j with HF_OPTION and the name', (options) => {
    const [name] = Object.keys(options);
    expect(() => checkOptions(options as WebSocketOptions)).toThrow(new RegExp(`^HF_OPTION: .*${name}`));
  });

  it('takes an option that is undefined for absent', () => {
    expect(checkOptions({ auth: undefined, pingMs: 3 })).toEqual({ pingMs: 3 });
  });
});

describe('settle', () => {
  it('fills in the defaults, those of the environment among them', () => {
    expect(settled({})).toMatchObject({
      ...DEFAULT_CONNECT_LIMITS,
      window: DEFAULT_CLIENT_WINDOW,
      maxBufferedBytes: 16_777_216,
      fallback: true,
      sessionInUrl: true,
      auth: undefined,
      environment: { name: 'staging', from: 'ENVIRONMENT' },
      breaker: { failures: 3, openMs: 15_000 },
      maxAttempts: 5,
      connectMs: 7_000,
    });
  });

  it('puts an option before the environment and before the surroundings', () => {
    expect(settled({ environment: 'production', connectMs: 1, maxAttempts: 9 })).toMatchObject({
      environment: { name: 'production', from: 'options' },
      breaker: { failures: 5, openMs: 60_000 },
      maxAttempts: 9,
      connectMs: 1,
    });
  });

  it('makes a function of auth', () => {
    expect(settled({ auth: 'token' }).auth?.()).toBe('token');
    let n = 0;
    const { auth } = settled({ auth: () => `token ${++n}` });
    expect([auth?.(), auth?.()]).toEqual(['token 1', 'token 2']);
  });

  it('reports an auth function that throws as a failing listener, and says nothing for it', async () => {
    const failure = new Error('not signed in');
    const reported = new Promise((resolve) => {
      const others = process.listeners('uncaughtException');
      process.removeAllListeners('uncaughtException');
      process.once('uncaughtException', (error) => {
        for (const other of others) process.on('uncaughtException', other);
        resolve(error);
      });
    });
    const { auth } = settled({
      auth: () => {
        throw failure;
      },
    });
    expect(auth?.()).toBeUndefined();
    expect(await reported).toBe(failure);
  });
});
