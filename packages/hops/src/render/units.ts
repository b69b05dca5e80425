import type { Route } from '@holdfast/policy';

/** Whole seconds, never fewer than were asked for: a limit that is rounded down ends what the policy keeps. */
export const seconds = (timeMs: number): number => Math.ceil(timeMs / 1000);

/** Seconds with their unit, as Envoy and Istio read a duration: `3600s`, `0.5s`. */
export const duration = (timeMs: number): string => `${timeMs / 1000}s`;

/** A duration as the Gateway API reads it (GEP-2257): `1h`, `90s`, `500ms`, and no unit above the hour. */
export function gatewayDuration(timeMs: number): string {
  if (timeMs === 0) return '0s';
  if (timeMs % 3_600_000 === 0) return `${timeMs / 3_600_000}h`;
  return timeMs % 1000 === 0 ? `${timeMs / 1000}s` : `${timeMs}ms`;
}

/** Name of a thing as an identifier of nginx: letters, digits and `_`. */
export const identifier = (name: string): string => name.replace(/[^A-Za-z0-9_]/g, '_');

/** A path as part of a name: `/dev/aiwm/chat` is `dev-aiwm-chat`, `/` is `root`. */
export function slug(path: string): string {
  const made = path
    .replace(/[^A-Za-z0-9]+/g, '-')
    .replace(/^-|-$/g, '')
    .toLowerCase();
  return made === '' ? 'root' : made;
}

/** The most specific first, as a list that is read from its top needs it: exact, then longest. Stable for the rest. */
export function mostSpecificFirst(routes: readonly Route[]): Route[] {
  return [...routes].sort(
    (a, b) => Number(b.match === 'exact') - Number(a.match === 'exact') || b.path.length - a.path.length,
  );
}
