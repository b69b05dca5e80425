// `npm run check`: stops at the first failure.
import { checks } from './checks.mjs';
import { runSteps } from './steps.mjs';

const results = await runSteps(checks, { stopAtFailure: true });
process.exitCode = results.some((result) => result.failed > 0) ? 1 : 0;
