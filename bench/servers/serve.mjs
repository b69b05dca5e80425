// The part that all servers under measurement share: they tell their port, and their use of processor and memory on request.
process.on('message', (request) => {
  if (request !== 'usage') return;
  globalThis.gc?.();
  const { user, system } = process.cpuUsage();
  const { rss, heapUsed, external, arrayBuffers } = process.memoryUsage();
  process.send({ cpuMs: (user + system) / 1_000, rss, heap: heapUsed + external + arrayBuffers });
});

export const serve = (port) => process.send({ port });
