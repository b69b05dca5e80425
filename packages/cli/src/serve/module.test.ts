import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { runModule, type ServeContext } from './module.js';

const folder = mkdtempSync(join(tmpdir(), 'holdfast-module-'));
afterAll(() => rmSync(folder, { recursive: true }));

let written = 0;
function run(source: string): Promise<void> {
  const path = join(folder, `module-${++written}.mjs`);
  writeFileSync(path, source);
  return runModule(path, { pod: { id: 'pod-1' } } as ServeContext);
}

describe('a module', () => {
  it('is given its context, and waited for', async () => {
    await run(`export default async ({ pod }) => { await null; globalThis.servedAs = pod.id; };`);
    expect((globalThis as { servedAs?: string }).servedAs).toBe('pod-1');
  });

  it.each([
    ['cannot be imported', `throw new RangeError('no');`, RangeError],
    ['has no default export', 'export const serve = () => {};', undefined],
    ['exports something that is no function', 'export default { port: 1 };', undefined],
    ['throws when it is called', `export default () => { throw new RangeError('no'); };`, RangeError],
    ['rejects when it is called', `export default async () => { throw new RangeError('no'); };`, RangeError],
  ])('that %s is refused with HF_MODULE, and the cause if there is one', async (_, source, cause) => {
    const error = await run(source).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'HF_MODULE' });
    if (cause) expect((error as Error).cause).toMatchObject({ name: cause.name });
  });
});
