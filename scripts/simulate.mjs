// `npm run simulate`: makes one file of the simulator and the sources it drives, and runs it. See docs/guides/simulation.md.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { root } from './steps.mjs';

// Two at a time must not write the same file.
const outfile = join(root, `node_modules/.cache/simulate/${process.pid}.mjs`);
await build({
  entryPoints: [join(root, 'test/simulation/main.ts')],
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  conditions: ['holdfast-source'],
  external: ['ws'],
  sourcemap: 'inline',
  outfile,
  absWorkingDir: root,
  logLevel: 'warning',
});
process.setSourceMapsEnabled(true);
await import(pathToFileURL(outfile).href);
rmSync(outfile);
