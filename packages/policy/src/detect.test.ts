import { describe, expect, it } from 'vitest';
import { detectEnvironment } from './detect.js';
import { parse } from './load.js';
import type { Policy } from './policy.js';

function policy(...environments: string[]): Policy {
  const named = environments.map((name) => `  ${name}: {}`).join('\n');
  const text = `name: x\nbase: {hosts: [h], routes: [{websocket: /}]}\nenvironments:\n${named}\n`;
  const loaded = parse(text, { variables: {} });
  if (!loaded.policy) throw new Error(JSON.stringify(loaded.problems));
  return loaded.policy;
}

describe('the environment of a process', () => {
  const all = policy('dev', 'staging', 'prod');
  it.each([
    ['prod', {}, 'prod', 'it was asked for'],
    [undefined, { ENVIRONMENT: 'staging' }, 'staging', 'ENVIRONMENT names it'],
    [undefined, { ENVIRONMENT: 'stage' }, 'staging', 'ENVIRONMENT says staging'],
    [undefined, { K_SERVICE: 'x' }, 'prod', 'K_SERVICE says production'],
    [undefined, { AWS_EXECUTION_ENV: 'x' }, 'prod', 'AWS_EXECUTION_ENV says production'],
    [undefined, { WEBSITE_SITE_NAME: 'x' }, 'prod', 'WEBSITE_SITE_NAME says production'],
    [undefined, {}, 'dev', 'development is the default'],
  ])('for %s and %j is %s, because %s', (wanted, variables, name, because) => {
    const detected = detectEnvironment(all, wanted, variables);
    expect([detected.environment.name, detected.because]).toEqual([name, because]);
  });

  it('is the only one where there is one', () => {
    const because = (variables: Record<string, string>): string =>
      detectEnvironment(policy('prod'), undefined, variables).because;
    expect(because({})).toBe('it is the only one');
    expect(because({ ENVIRONMENT: 'staging' })).toBe('it is the only one, though ENVIRONMENT says staging');
    expect(because({ ENVIRONMENT: 'canary', K_SERVICE: 'x' })).toBe(
      'it is the only one, though ENVIRONMENT says canary',
    );
  });

  it('is refused where that leaves several, or none', () => {
    expect(() => detectEnvironment(policy('eu', 'us'), undefined, {})).toThrow(
      /HF_OPTION: .*which of eu, us: name one with --env/,
    );
    expect(() => detectEnvironment(all, undefined, { ENVIRONMENT: 'stagign', NODE_ENV: 'production' })).toThrow(
      /no environment stagign, which ENVIRONMENT says \(did you mean staging\?\); it has dev, staging, prod/,
    );
    expect(() => detectEnvironment(all, 'prd', {})).toThrow(/no environment prd \(did you mean prod\?\)/);
  });
});
