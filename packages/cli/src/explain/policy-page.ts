import { fileSchema, type JsonSchema } from '@holdfast/policy';
import { code, GENERATED, paragraphs, tableOf } from './markdown.js';

/** One key of the file, as the schema describes it. */
export interface PolicyKey {
  /** From `base` or an environment on: `keepalive.ping`, `routes[].read`. */
  readonly path: string;
  readonly value: string;
  readonly byDefault: string;
  readonly what: string;
}

const DURATION_HINT = 'a duration';

/** What may be written, in a few words. */
function valueOf(schema: JsonSchema): string {
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices) return [...new Set(choices.map(valueOf))].join(' or ');
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.length > 8 ? 'a word' : schema.enum.join(', ');
  if (schema.type === 'array') return `a list of ${schema.items ? valueOf(schema.items) : 'values'}`;
  if (schema.type === 'object') return schema.properties ? 'a mapping' : 'a mapping of names';
  if (schema.pattern?.includes('ms|s|m|h|d'))
    return schema.pattern.startsWith('^off') ? `${DURATION_HINT}, or off` : DURATION_HINT;
  if (schema.pattern?.includes('KMGT]i?B')) return 'a size';
  return (
    { string: 'a text', number: 'a number', integer: 'a whole number', boolean: 'true or false' }[schema.type ?? ''] ??
    'a value'
  );
}

/** Every key below a schema. Hops are left out: they have pages of their own. */
function keysBelow(schema: JsonSchema, path: string): PolicyKey[] {
  const choices = schema.anyOf ?? [schema];
  const keys = new Map<string, PolicyKey[]>();
  for (const choice of choices) {
    const inner = choice.type === 'array' ? choice.items : choice;
    const at = choice.type === 'array' ? `${path}[]` : path;
    if (choice.type === 'array' && inner) {
      keysBelow(inner, at).forEach((key) => keys.set(key.path, [key]));
      continue;
    }
    if (typeof choice.additionalProperties === 'object' && !choice.properties) {
      keysBelow(choice.additionalProperties, `${path}.NAME`).forEach((key) => keys.set(key.path, [key]));
    }
    for (const [name, property] of Object.entries(choice.properties ?? {})) {
      const below = `${at}${at === '' ? '' : '.'}${name}`;
      keys.set(below, [keyOf(below, property), ...(name === 'hops' ? [] : keysBelow(property, below))]);
    }
  }
  return [...keys.values()].flat();
}

const keyOf = (path: string, schema: JsonSchema): PolicyKey => ({
  path,
  value: valueOf(schema),
  byDefault:
    schema.default === undefined
      ? ''
      : typeof schema.default === 'string'
        ? schema.default
        : JSON.stringify(schema.default),
  what: schema.description ?? '',
});

/** All keys that an environment, and `base`, can have. */
export function policyKeys(): PolicyKey[] {
  const environment = fileSchema().properties?.['environments']?.additionalProperties;
  return typeof environment === 'object' ? keysBelow(environment, '') : [];
}

export const policyPage = (): string =>
  paragraphs(
    '# holdfast.yaml',
    GENERATED,
    'The file has a `name`, a `base` that all environments share, and the `environments`. Both take the keys below; `extends` is for environments alone. Durations have a unit (`500ms`, `2s`, `1h`, `7d`), sizes too (`64KiB`, `4Gi`). ' +
      `\`\${NAME}\` and \`\${NAME:-default}\` are variables of the process.`,
    'Editors complete and check it with [schema.json](../packages/policy/schema.json): put `# yaml-language-server: $schema=PATH` into its first line, or print the schema with `holdfast explain schema`.',
    ...sections().map(
      ([section, keys]) => `## ${section}\n\n${tableOf(['key', 'value', 'default', 'what'], keys.map(rowOf))}`,
    ),
  );

const rowOf = ({ path, value, byDefault, what }: PolicyKey): string[] => [
  code(path),
  value,
  byDefault === '' ? '' : code(byDefault),
  what,
];

/** Keys by their first part, in the order of the schema; those without a section come first. */
function sections(): [string, PolicyKey[]][] {
  const all = policyKeys();
  const hasParts = (name: string): boolean => all.some(({ path }) => path !== name && firstOf(path) === name);
  const byName = new Map<string, PolicyKey[]>([['Environment', []]]);
  for (const key of all) {
    const name = hasParts(firstOf(key.path)) ? firstOf(key.path) : 'Environment';
    byName.set(name, [...(byName.get(name) ?? []), key]);
  }
  return [...byName];
}

const firstOf = (path: string): string => path.split(/[.[]/)[0] ?? path;

export const keyPage = ({ path, value, byDefault, what }: PolicyKey): string =>
  paragraphs(`# ${path}`, what, `Value: ${value}.${byDefault === '' ? '' : ` Default: ${code(byDefault)}.`}`);
