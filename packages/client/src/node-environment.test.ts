import { describe, expect, it } from 'vitest';
import { limitsOf } from './node-environment.js';

describe('limitsOf', () => {
  it('reads seconds', () => {
    expect(
      limitsOf({
        WEBSOCKET_CONNECT_TIMEOUT: '2.5',
        WEBSOCKET_HANDSHAKE_TIMEOUT: '20',
        WEBSOCKET_PING_TIMEOUT: '1',
        WEBSOCKET_CLOSE_TIMEOUT: '3',
      }),
    ).toEqual({ connectMs: 2_500, handshakeMs: 20_000, pingMs: 1_000, closeMs: 3_000 });
  });

  it('sets nothing for what is absent or empty', () => {
    expect(limitsOf({ WEBSOCKET_PING_TIMEOUT: '' })).toEqual({});
  });

  it.each(['soon', '0', '-1', 'Infinity'])('refuses %s with HF_OPTION and the name of the variable', (value) => {
    expect(() => limitsOf({ WEBSOCKET_CLOSE_TIMEOUT: value })).toThrow(/HF_OPTION: .*WEBSOCKET_CLOSE_TIMEOUT/);
  });
});
