// `node scripts/generate-docs.mjs`, after a build: writes what the documentation takes from the code. With `--check` it only compares.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import * as hops from '@holdfast/hops';
import * as protocol from '@holdfast/protocol';
import * as explain from '../packages/cli/dist/explain/topics.js';
import { documents } from './docs.mjs';
import { withExamples } from './rule-docs.mjs';

const root = join(import.meta.dirname, '..');
const isCheck = process.argv.includes('--check');

const pages = documents(protocol, explain, (name) => readFileSync(join(root, name), 'utf8'));
const examples = hops.readExamples(hops.disk, join(root, 'packages/hops/src/lint/fixtures'));

for (const [path, text] of withExamples(pages, hops, examples)) {
  const file = join(root, path);
  if (existsSync(file) && readFileSync(file, 'utf8') === text) continue;
  if (isCheck) {
    console.error(`${path} is not what the code says: run node scripts/generate-docs.mjs`);
    process.exitCode = 1;
  } else {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
    console.log(`wrote ${path}`);
  }
}
