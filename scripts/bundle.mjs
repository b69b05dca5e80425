// Makes packages/client/dist/holdfast.min.js, the client as one file for a page without a bundler, and prints its size; with
// --modules (`npm run size`) also what each module has in it.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { root } from './steps.mjs';

const file = 'packages/client/dist/holdfast.min.js';
const { outputFiles, metafile } = await build({
  // By its name, so that it is what a bundler gets: the entry that the `browser` condition of `exports` leads to.
  stdin: { contents: "export * from '@holdfast/client';", resolveDir: root },
  bundle: true,
  minify: true,
  format: 'esm',
  platform: 'browser',
  target: 'es2022',
  outfile: join(root, file),
  absWorkingDir: root,
  metafile: true,
  write: false,
});
const code = outputFiles[0]?.contents ?? new Uint8Array();
writeFileSync(join(root, file), code);

if (process.argv.includes('--modules')) {
  const inputs = Object.entries(metafile.outputs[file]?.inputs ?? {}).filter(
    ([, { bytesInOutput }]) => bytesInOutput > 0,
  );
  inputs.sort(([, a], [, b]) => b.bytesInOutput - a.bytesInOutput);
  for (const [path, { bytesInOutput }] of inputs) console.log(`${String(bytesInOutput).padStart(7)}  ${path}`);
}
const gzipBytes = gzipSync(code, { level: 9 }).length;
const brotliBytes = brotliCompressSync(code, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }).length;
console.log(`${file}: ${code.length} bytes, ${gzipBytes} as gzip, ${brotliBytes} as brotli`);
