import { describe, expect, it } from 'vitest';
import { environmentNamed, secondsToMs, surroundingsOf } from './surroundings.js';

describe('surroundingsOf', () => {
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
    [{ CONTAINER_APP_NAME: 'api' }, 'production', 'CONTAINER_APP_NAME'],
    [{ K_SERVICE: '' }, 'development', 'default'],
    [{ ENVIRONMENT: 'constructor' }, 'development', 'default'],
  ])('makes of %j %s, because of %s', (variables, name, from) => {
    expect(surroundingsOf(variables)).toEqual({ name, from });
  });
});

describe('environmentNamed', () => {
  it('knows the words that people use, in any case, and no others', () => {
    expect(['Prod', 'STAGE', 'dev', 'debug'].map(environmentNamed)).toEqual([
      'production',
      'staging',
      'development',
      'development',
    ]);
    expect([undefined, '', 'eu-1', 'toString'].map(environmentNamed)).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });
});

describe('secondsToMs', () => {
  it('takes fractions, and refuses what is no time', () => {
    expect(secondsToMs('2.5')).toBe(2_500);
    for (const wrong of ['soon', '0', '-1', 'Infinity', 'NaN']) expect(secondsToMs(wrong)).toBeUndefined();
  });
});
