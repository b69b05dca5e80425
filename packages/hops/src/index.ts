export { disk, type Files, memoryFiles } from './files.js';
export {
  type Expected,
  isAtLeast,
  type LintContext,
  parseVersion,
  pingOf,
  slowest,
  type Version,
  webSocketPaths,
} from './lint/context.js';
export { collect, type Collected, given, STDIN } from './lint/collect.js';
export { type Dialect, type Found, linter, type Linter, type Reading, type ReadProblem } from './lint/dialect.js';
export { type Example, exampleName, lintExample, readExamples } from './lint/example.js';
export { type FixedFile, type Fixes, planFixes, unifiedDiff } from './lint/fix.js';
export { LINTERS, RULES } from './lint/linters.js';
export { countBySeverity, lint, type LintOptions, type LintReport, type Repair } from './lint/engine.js';
export { ENGINE_RULES } from './lint/engine-rules.js';
export {
  docsOf,
  type Edit,
  type Finding,
  type Place,
  type Problem,
  type Rule,
  type RuleFacts,
  SEVERITIES,
  type Severity,
} from './lint/rule.js';
export { factsOf, HOPS, linksOf } from './facts/index.js';
export * from './nginx/index.js';
export { sarif } from './lint/sarif.js';
export { summary, textReport } from './lint/text.js';
export { type Position, Source } from './source.js';
export { ownLabels } from './render/chain.js';
export { MARKER, render, type RenderedFile, type Rendering, targetsOf, targetSummaries } from './render/render.js';
export { TARGET_NAMES, type TargetName } from './render/target.js';
export { type Manifest, readManifests } from './kube/manifest.js';
