import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, relative } from 'node:path';

/**
 * One named step of a check, and what it counted. A step without tests of its own counts as one.
 * @typedef {{ passed: number, failed: number, skipped?: string[], failures?: string[] }} Count
 * @typedef {{ name: string, run: () => Promise<Count> }} Step
 * @typedef {Count & { name: string, ms: number }} Result
 */

export const root = join(import.meta.dirname, '..');

const env = { ...process.env, PATH: `${join(root, 'node_modules', '.bin')}${delimiter}${process.env['PATH'] ?? ''}` };

/**
 * Runs a program with its output shown, and resolves to whether it exited with 0.
 * @param {string} program
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} [extraEnv]
 * @returns {Promise<boolean>}
 */
export function succeeds(program, args, extraEnv) {
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      cwd: root,
      env: { ...env, ...extraEnv },
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    child.once('error', (error) => {
      console.error(`${program}: ${error.message}`);
      resolve(false);
    });
    child.once('close', (code) => resolve(code === 0));
  });
}

/**
 * A step made of commands; it stops at the first that fails.
 * @param {string} name
 * @param {[string, ...string[]][]} commands
 * @returns {Step}
 */
export function commandStep(name, ...commands) {
  return {
    name,
    run: async () => {
      for (const [program, ...args] of commands) {
        if (!(await succeeds(program, args))) return { passed: 0, failed: 1 };
      }
      return { passed: 1, failed: 0 };
    },
  };
}

/**
 * A step that runs one project of vitest.config.ts and counts its tests.
 * @param {string} project
 * @param {string[]} [extraArgs]
 * @returns {Step}
 */
export function vitestStep(project, extraArgs = []) {
  return {
    name: `${project} tests`,
    run: async () => {
      const folder = mkdtempSync(join(tmpdir(), 'holdfast-vitest-'));
      const outputFile = join(folder, 'result.json');
      const args = ['run', '--project', project, '--passWithNoTests', '--reporter=default', '--reporter=json'];
      const ok = await succeeds('vitest', [...args, `--outputFile.json=${outputFile}`, ...extraArgs]);
      const count = readCount(outputFile);
      rmSync(folder, { recursive: true });
      // A file that cannot be imported, or an unhandled error, fails the run without failing any test.
      return ok ? count : { ...count, failed: Math.max(1, count.failed) };
    },
  };
}

/**
 * @param {string} file
 * @returns {Count}
 */
function readCount(file) {
  try {
    const { numPassedTests, numFailedTests, testResults } = JSON.parse(readFileSync(file, 'utf8'));
    /** @type {{ name: string, message: string, assertionResults: { fullName: string, status: string, failureMessages: string[] }[] }[]} */
    const files = testResults;
    const tests = files.flatMap(({ assertionResults }) => assertionResults);
    const skipped = tests
      .filter(({ status }) => status !== 'passed' && status !== 'failed')
      .map(({ fullName }) => fullName);
    const failures = files.flatMap(({ name, message, assertionResults }) => [
      ...(message ? [`${relative(root, name)}: ${message}`] : []),
      ...assertionResults
        .filter(({ status }) => status === 'failed')
        .map(({ fullName, failureMessages }) => `${relative(root, name)} > ${fullName}: ${failureMessages.join('\n')}`),
    ]);
    return { passed: numPassedTests, failed: numFailedTests, skipped, failures };
  } catch {
    return { passed: 0, failed: 0 };
  }
}

/**
 * Runs steps in order, printing the name and the duration of each.
 * @param {Step[]} steps
 * @param {{ stopAtFailure: boolean }} options
 * @returns {Promise<Result[]>}
 */
export async function runSteps(steps, { stopAtFailure }) {
  const results = [];
  for (const { name, run } of steps) {
    console.log(`\n── ${name}`);
    const startedMs = performance.now();
    const count = await run();
    const ms = Math.round(performance.now() - startedMs);
    console.log(`── ${name}: ${count.failed === 0 ? 'ok' : 'FAILED'} in ${(ms / 1000).toFixed(1)} s`);
    results.push({ name, ms, ...count });
    if (count.failed > 0 && stopAtFailure) break;
  }
  return results;
}
