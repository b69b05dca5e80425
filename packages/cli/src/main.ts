#!/usr/bin/env node
import { outliveReaders } from './pipes.js';
import { run } from './program.js';

outliveReaders(process.stdout, process.stderr);
process.exitCode = await run(process.argv.slice(2));
