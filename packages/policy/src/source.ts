import type { PresetName } from './policy.js';

/** Where a value of an environment came from. */
export type Source =
  | { readonly from: 'default' }
  | { readonly from: 'preset'; readonly preset: PresetName }
  /** `layer` is `base` or the name of the environment that says it. */
  | {
      readonly from: 'file';
      readonly file: string;
      readonly line: number;
      readonly column: number;
      readonly layer: string;
    }
  | { readonly from: 'variable'; readonly variable: string };

/** By field of the environment, as `keepalive.pingMs` or `routes.0.readMs`. */
export type Sources = ReadonlyMap<string, Source>;

/** A source in a few words; for the environment `own` that is looked at, a value that it has said itself needs no name. */
export function describeSource(source: Source | undefined, own?: string): string {
  switch (source?.from) {
    case 'preset':
      return `preset ${source.preset}`;
    case 'file':
      return `${source.file}:${source.line}${source.layer === own || source.layer === '' ? '' : ` (${source.layer})`}`;
    case 'variable':
      return source.variable;
    default:
      return 'default';
  }
}
