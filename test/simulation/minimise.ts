import type { RunOptions, RunResult } from './run.js';

/** How long a minimisation may take. */
const LIMIT_MS = 20_000;

/**
 * Finds a small part of a schedule that still fails in the same way: leaves out halves, quarters and so on, as long as that
 * helps. Returns the numbers of the operations that are left.
 */
export async function minimise(
  { seed, plant }: RunOptions,
  failed: RunResult,
  run: (options: RunOptions) => Promise<RunResult>,
): Promise<{ readonly only: readonly number[]; readonly result: RunResult }> {
  let only: readonly number[] = Array.from({ length: failed.ops }, (_, i) => i);
  let result = failed;
  const endMs = performance.now() + LIMIT_MS;
  const hasTime = (): boolean => performance.now() < endMs;
  const fails = async (candidate: readonly number[]): Promise<boolean> => {
    const again = await run({ seed, steps: 0, only: candidate, ...(plant && { plant }) });
    if (again.violation?.kind !== failed.violation?.kind) return false;
    only = candidate;
    result = again;
    return true;
  };
  for (let size = Math.ceil(only.length / 2); size >= 1 && hasTime();) {
    const before = only.length;
    // From the end: what comes after the failure goes at once.
    for (let end = only.length; end > 0 && hasTime(); end -= size) {
      const rest = [...only.slice(0, Math.max(0, end - size)), ...only.slice(end)];
      if (rest.length > 0) await fails(rest);
    }
    if (only.length === before || size > 1) size = size === 1 ? 0 : Math.ceil(size / 2);
  }
  return { only, result };
}
