#!/usr/bin/env node
// In the repository this file is there before anything is built, so that `npm ci` can link it.
import { existsSync } from 'node:fs';

const main = new URL('../dist/main.js', import.meta.url);
if (existsSync(main)) {
  await import(main.href);
} else {
  process.stderr.write('holdfast: it is not built yet. Run `npm run build` first.\n');
  process.exitCode = 1;
}
