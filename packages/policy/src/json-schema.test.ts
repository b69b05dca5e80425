import { describe, expect, it } from 'vitest';
import { fileSchema, publishedSchema, type JsonSchema } from './json-schema.js';

/** All schemas inside of one. */
function* all(schema: unknown): Generator<JsonSchema> {
  if (typeof schema !== 'object' || schema === null) return;
  yield schema;
  for (const part of Object.values(schema)) yield* all(part);
}

describe('the schema for editors', () => {
  it('describes every key of an environment', () => {
    const environment = fileSchema().properties?.['base'];
    for (const [key, schema] of Object.entries(environment?.properties ?? {})) {
      expect(schema.description, key).toBeTruthy();
    }
  });

  it('forbids keys that it does not know', () => {
    expect(fileSchema().additionalProperties).toBe(false);
  });

  it('lets a variable stand where a number or a duration does', () => {
    const patterns = [...all(publishedSchema())].filter(({ anyOf }) =>
      anyOf?.some(({ pattern }) => pattern !== undefined && new RegExp(pattern).test('${PING:-2s}')),
    );
    expect(patterns.length).toBeGreaterThan(50);
  });

  it('refers to nothing that it has not', () => {
    const schema = publishedSchema() as { $defs?: Record<string, unknown> };
    const references = [...all(schema)].flatMap((part) =>
      '$ref' in part && typeof part.$ref === 'string' ? [part.$ref] : [],
    );
    for (const reference of references) expect(schema.$defs).toHaveProperty([reference.replace('#/$defs/', '')]);
  });
});
