export interface Lockfile {
  packages: Record<string, { version?: string; resolved?: string; optionalDependencies?: Record<string, string> }>;
}

/** What is wrong with package-lock.json: an address in it, or a binary of another platform that is not in it. */
export function lockfileProblems({ packages }: Lockfile): string[] {
  return Object.entries(packages).flatMap(([path, { resolved, optionalDependencies }]) => [
    ...(resolved?.startsWith('http') === true ? [`${path} is locked to the address of a registry`] : []),
    ...Object.keys(optionalDependencies ?? {})
      .filter((name) => !isLocked(packages, name, path))
      .map((name) => `${path} has the optional ${name}, which is not locked; run node scripts/lock.mjs`),
  ]);
}

/** npm looks for a dependency beside its dependent, and then one level up after the other. */
function isLocked(packages: Lockfile['packages'], name: string, from: string): boolean {
  const candidate = from === '' ? `node_modules/${name}` : `${from}/node_modules/${name}`;
  if (Object.hasOwn(packages, candidate)) return true;
  return from !== '' && isLocked(packages, name, from.slice(0, Math.max(0, from.lastIndexOf('/node_modules/'))));
}
