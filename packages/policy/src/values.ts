import {
  AUTOSCALE,
  BREAKER,
  CONNECT,
  COOKIE,
  DRAIN,
  HEALTH,
  KEEPALIVE,
  LIMITS,
  RESOURCES,
  ROLLOUT,
  ROUTE_TIMES,
  type Key,
} from './keys.js';
import type { Environment } from './policy.js';
import { describeSource, type Sources } from './source.js';
import { formatDuration, formatSize } from './units.js';

/** One value of an environment as the file would have it, and where it came from. */
export interface ShownValue {
  /** As in the file: `keepalive.ping`. */
  readonly key: string;
  readonly value: string;
  /** `default`, `preset staging`, `holdfast.yaml:12`, `holdfast.yaml:3 (base)`, or the name of a variable. */
  readonly source: string;
}

type Keys = Readonly<Record<string, Key>>;

const SECTIONS: Readonly<Record<string, Keys>> = {
  keepalive: KEEPALIVE,
  connect: CONNECT,
  breaker: BREAKER,
  drain: DRAIN,
  rollout: ROLLOUT,
  'rollout.autoscale': AUTOSCALE,
  limits: LIMITS,
  resources: RESOURCES,
  health: HEALTH,
  'stickiness.cookie': COOKIE,
};

/** All values of an environment that have a unit, and what they are named after, in the order of the file's reference. */
export function shownValues(environment: Environment, sources: Sources): ShownValue[] {
  const source = (field: string): string => describeSource(sources.get(field), environment.name);
  const names: ShownValue[] = [
    { key: 'preset', value: environment.preset, source: source('preset') },
    { key: 'namespace', value: environment.namespace, source: source('namespace') },
    { key: 'service.name', value: environment.service.name, source: source('service.name') },
    { key: 'stickiness', value: environment.stickiness.by, source: source('stickiness') },
  ];
  const routes = environment.routes.flatMap((route, i) =>
    sectionValues(route, `routes.${i}`, `routes.${route.path}`, ROUTE_TIMES[route.kind], source),
  );
  const sections = Object.entries(SECTIONS).flatMap(([path, keys]) =>
    sectionValues(at(environment, path), path, path, keys, source),
  );
  return [...names, ...sections, ...routes];
}

const at = (root: object, path: string): unknown =>
  path.split('.').reduce<unknown>((value, name) => (value as Record<string, unknown> | undefined)?.[name], root);

function sectionValues(
  section: unknown,
  field: string,
  path: string,
  keys: Keys,
  source: (field: string) => string,
): ShownValue[] {
  if (typeof section !== 'object' || section === null) return [];
  const values = section as Readonly<Record<string, unknown>>;
  return Object.entries(keys).map(([name, key]) => ({
    key: `${path}.${key.key}`,
    value: shown(values[name], key),
    source: source(`${field}.${name}`),
  }));
}

function shown(value: unknown, { unit }: Key): string {
  if (value === undefined) return 'off';
  if (value === Infinity) return 'unlimited';
  if (typeof value === 'number')
    return unit === 'duration' ? formatDuration(value) : unit === 'size' ? formatSize(value) : String(value);
  return typeof value === 'string' || typeof value === 'boolean' ? String(value) : JSON.stringify(value);
}
