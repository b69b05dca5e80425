// Proves that what was built runs on this Node: imports every entry of every package from its dist.
import { join } from 'node:path';
import { importableEntries, packages } from './workspace.mjs';

for (const { folder, manifest } of packages()) {
  for (const [entry, file] of importableEntries(manifest)) {
    await import(join(folder, file));
    console.log(`Node ${process.versions.node} imported ${join(manifest.name, entry)}`);
  }
}
