import { commandStep, vitestStep } from './steps.mjs';

/**
 * Everything that needs neither a browser nor a server process.
 * @type {import('./steps.mjs').Step[]}
 */
export const checks = [
  vitestStep('tidy'),
  commandStep('format', ['oxfmt', '--check']),
  // Before lint: the type-aware rules see another package through the declarations in its dist.
  commandStep('types', ['tsc', '-b'], ['tsc', '-p', 'tsconfig.test.json']),
  commandStep('lint', ['oxlint', '--type-aware', '--deny-warnings', '--report-unused-disable-directives']),
  vitestStep('unit'),
  commandStep('packages', ['sherif', '--fail-on-warnings'], ['node', 'scripts/packages.mjs']),
];
