import { defineConfig } from 'vitest/config';

// Tests run the TypeScript sources of every package, never a stale dist.
const resolve = { conditions: ['holdfast-source'] };
const ssr = { resolve: { conditions: ['holdfast-source', 'module', 'node', 'development|production'] } };

export default defineConfig({
  test: {
    projects: [
      { resolve, ssr, test: { name: 'tidy', include: ['test/tidy/*.test.ts'], testTimeout: 60_000 } },
      { resolve, ssr, test: { name: 'unit', include: ['packages/*/src/**/*.test.ts'] } },
      {
        resolve,
        ssr,
        test: {
          name: 'e2e',
          include: ['test/**/*.test.ts'],
          exclude: ['test/tidy/**'],
          fileParallelism: false,
          // Suites of clocks wait side by side.
          maxConcurrency: 30,
          testTimeout: 180_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
