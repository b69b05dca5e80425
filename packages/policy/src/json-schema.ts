import { z } from 'zod';
import { FILE } from './schema.js';

/** The parts of JSON Schema that the schema of a policy is made of. */
export interface JsonSchema {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly string[];
  readonly const?: unknown;
  readonly pattern?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: JsonSchema | boolean;
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
}

/** The schema of the file as editors read it, nothing referred to. */
export const fileSchema = (): JsonSchema => z.toJSONSchema(FILE, { io: 'input' }) as JsonSchema;

/** `${NAME}` may stand wherever a value does, and what it will be only the process knows. */
const VARIABLE = { type: 'string', pattern: String.raw`\$\{[A-Za-z_]\w*(:-[^}]*)?\}` };

/** What is published as `schema.json`: as {@link fileSchema}, but with variables, and each part written once. */
export function publishedSchema(): object {
  const schema = z.toJSONSchema(FILE, {
    io: 'input',
    reused: 'ref',
    override: ({ jsonSchema, path }) => {
      const { type, description, default: byDefault, const: constant, ...rest } = jsonSchema;
      const isText = type === 'string' && rest.pattern === undefined && rest.enum === undefined;
      const isLeaf = ['string', 'number', 'integer', 'boolean'].includes(String(type));
      // The kind of a hop decides what else it may say, and names are texts that may hold a variable anyway.
      if (!isLeaf || isText || constant !== undefined || path.includes('propertyNames')) return;
      for (const key of Object.keys(jsonSchema)) delete jsonSchema[key as keyof typeof jsonSchema];
      Object.assign(jsonSchema, {
        anyOf: [{ type, ...rest }, VARIABLE],
        ...(description !== undefined && { description }),
        ...(byDefault !== undefined && { default: byDefault }),
      });
    },
  });
  return { ...schema, title: 'holdfast.yaml' };
}
