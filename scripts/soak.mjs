// `npm run soak`: makes one file of the soak, and runs it from the root. See docs/guides/soak.md.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { root } from './steps.mjs';

process.chdir(root);
// Two at a time must not write the same file.
const outfile = join(root, `node_modules/.cache/soak/${process.pid}.mjs`);
await build({
  entryPoints: [join(root, 'test/soak/main.ts')],
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  conditions: ['holdfast-source'],
  external: ['ws', 'redis', 'lmdb'],
  sourcemap: 'inline',
  outfile,
  absWorkingDir: root,
  logLevel: 'warning',
});
process.setSourceMapsEnabled(true);
try {
  await import(pathToFileURL(outfile).href);
} finally {
  rmSync(outfile);
}
