import { describe, expect, it } from 'vitest';
import { environmentOf, limitsOf } from './node-environment.js';

describe('environmentOf', () => {
  it.each([
    [{}, 'development', 'default'],
    [{ NODE_ENV: 'production' }, 'production', 'NODE_ENV'],
    [{ NODE_ENV: 'test' }, 'development', 'NODE_ENV'],
    [{ ENVIRONMENT: 'Staging', NODE_ENV: 'production' }, 'staging', 'ENVIRONMENT'],
    [{ ENVIRONMENT: 'somewhere', NODE_ENV: 'production' }, 'production', 'NODE_ENV'],
    [{ ENVIRONMENT: 'somewhere' }, 'development', 'default'],
    [{ K_SERVICE: 'api' }, 'production', 'K_SERVICE'],
    [{ AWS_EXECUTION_ENV: 'AWS_ECS_FARGATE' }, 'production', 'AWS_EXECUTION_ENV'],
    [{ AWS_LAMBDA_FUNCTION_NAME: 'f' }, 'production', 'AWS_LAMBDA_FUNCTION_NAME'],
    [{ ECS_CONTAINER_METADATA_URI: 'http://x' }, 'production', 'ECS_CONTAINER_METADATA_URI'],
    [{ WEBSITE_SITE_NAME: 'site' }, 'production', 'WEBSITE_SITE_NAME'],
    [{ NODE_ENV: 'development', K_SERVICE: 'api' }, 'development', 'NODE_ENV'],
    [{ K_SERVICE: '' }, 'development', 'default'],
    [{ ENVIRONMENT: 'constructor' }, 'development', 'default'],
  ])('makes of %j %s, because of %s', (variables, name, from) => {
    expect(environmentOf(variables)).toEqual({ name, from });
  });
});

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
