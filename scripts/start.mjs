// `npm start`: the main job. `tsc -b` builds what is missing or older than its source, and nothing else.
import { spawn } from 'node:child_process';
import { root, succeeds } from './steps.mjs';

if (!(await succeeds('npm', ['run', '--silent', 'build']))) process.exit(1);

const serve = ['packages/cli/dist/main.js', 'serve', 'examples/chat/app.mjs'];
const defaults = ['--workers', '3', '--port', '8080', '--store', 'lmdb:./data'];
const child = spawn(process.execPath, [...serve, ...defaults, ...process.argv.slice(2)], {
  cwd: root,
  stdio: 'inherit',
});

// A terminal sends Ctrl-C to both processes; a supervisor tells only this one.
for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP']))
  process.on(signal, () => child.kill(signal));
child.once('close', (code) => process.exit(code ?? 1));
