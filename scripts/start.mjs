// `npm start`: the main job. Builds what is missing or older than its source, then is `holdfast serve` itself, so that Ctrl-C and
// the exit code are its own.
import { root, succeeds } from './steps.mjs';

if (!(await succeeds('npm', ['run', '--silent', 'build']))) process.exit(1);

process.chdir(root);
const { run } = await import('../packages/cli/dist/program.js');
const defaults = ['--workers', '3', '--port', '8080', '--store', 'lmdb:./data'];
process.exitCode = await run(['serve', 'examples/chat/app.mjs', ...defaults, ...process.argv.slice(2)]);
