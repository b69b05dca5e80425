import { readFileSync } from 'node:fs';

/**
 * The id of this run of the machine, or undefined where the system gives none (all but Linux). What a killed process has written
 * is still there under the same id; under another one the machine has been off in between, and what had not reached the disk is
 * lost.
 */
export function readBootId(): string | undefined {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return undefined;
  }
}
