import { CONTROLLER_DEFAULTS_MS, type Timeouts } from './controller.js';

const PREFIX = 'nginx.ingress.kubernetes.io/';

/** Where a live object is not as it was rendered. */
export interface Difference {
  readonly path: string;
  readonly expected: string;
  readonly actual: string;
}

/** What of the rendered object the live one does not hold. What the server or others have added to it does not count. */
export function compare(expected: unknown, actual: unknown, path = ''): Difference[] {
  if (typeof expected === 'object' && expected !== null) {
    if (Array.isArray(expected) && Array.isArray(actual) && actual.length !== expected.length) {
      return [{ path, expected: `${expected.length} items`, actual: `${actual.length}` }];
    }
    const inner = typeof actual === 'object' && actual !== null ? (actual as Record<string, unknown>) : {};
    return Object.entries(expected).flatMap(([key, value]) =>
      compare(value, inner[key], path === '' ? key : `${path}.${key}`),
    );
  }
  if (expected === actual) return [];
  return [
    { path, expected: JSON.stringify(expected), actual: actual === undefined ? 'absent' : JSON.stringify(actual) },
  ];
}

/** Annotations of the controller that were not rendered. What others add does nothing; each of these changes how it routes. */
export function addedAnnotations(
  expected: Readonly<Record<string, string>> = {},
  actual: Readonly<Record<string, string>> = {},
): Difference[] {
  return Object.entries(actual)
    .filter(([key]) => key.startsWith(PREFIX) && !Object.hasOwn(expected, key))
    .map(([key, value]) => ({
      path: `metadata.annotations.${key}`,
      expected: 'absent',
      actual: JSON.stringify(value),
    }));
}

/** Timeouts that annotations (or, without a prefix, a ConfigMap) ask of the controller; what it cannot read it replaces. */
export function annotationTimeouts(
  given: Readonly<Record<string, string>>,
  prefix = PREFIX,
  defaults = CONTROLLER_DEFAULTS_MS,
): Timeouts {
  const of = (name: 'connect' | 'send' | 'read'): number | undefined => {
    const text = given[`${prefix}proxy-${name}-timeout`] ?? '';
    return /^\d+$/.test(text) ? Number(text) * 1_000 : defaults[name];
  };
  return { connect: of('connect'), send: of('send'), read: of('read') };
}
