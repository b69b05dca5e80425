import { environmentNamed, errors, HoldfastError, surroundingsOf, type Surroundings } from '@holdfast/protocol';
import type { Variables } from './document.js';
import type { Environment, Policy } from './policy.js';
import { nearest } from './words.js';

export interface Detected {
  readonly environment: Environment;
  /** Why this one, for people. */
  readonly because: string;
}

/**
 * The environment of a policy that a process runs in: the one that is asked for, the one that `ENVIRONMENT` names, the only one whose preset
 * the surroundings call for, or the only one there is. Throws HF_OPTION where that leaves several, and where `ENVIRONMENT` would choose
 * between several and says a word that none of them goes by: what else would choose is not what was meant.
 */
export function detectEnvironment(
  policy: Policy,
  wanted: string | undefined,
  variables: Variables = process.env,
): Detected {
  const { path, environments } = policy;
  const names = [...environments.keys()];
  const named = variables['ENVIRONMENT'] ?? '';
  const isWord = named === '' || environmentNamed(named) !== undefined;
  const asked = wanted ?? (environments.has(named) || (!isWord && names.length > 1) ? named : undefined);
  if (asked !== undefined) {
    const environment = environments.get(asked);
    if (environment)
      return { environment, because: wanted === undefined ? 'ENVIRONMENT names it' : 'it was asked for' };
    const guess = nearest(asked, names);
    throw new HoldfastError(
      errors.OPTION,
      `${path} has no environment ${asked}${wanted === undefined ? ', which ENVIRONMENT says' : ''}${guess === undefined ? '' : ` (did you mean ${guess}?)`}; it has ${names.join(', ')}`,
    );
  }
  const surroundings = surroundingsOf(variables);
  const alike = [...environments.values()].filter(({ preset }) => preset === surroundings.name);
  const [only] = alike.length === 1 ? alike : environments.size === 1 ? environments.values() : [];
  if (only) {
    const alone = `it is the only one${named === '' ? '' : `, though ENVIRONMENT says ${named}`}`;
    return { environment: only, because: alike.length === 1 && isWord ? told(surroundings) : alone };
  }
  throw new HoldfastError(
    errors.OPTION,
    `${told(surroundings)}, and of ${path} that leaves open which of ${names.join(', ')}: name one with --env, or in ENVIRONMENT`,
  );
}

const told = ({ name, from }: Surroundings): string =>
  from === 'default' ? `${name} is the default` : `${from} says ${name}`;
