import type { Manifest } from './manifest.js';

type Labels = Readonly<Record<string, unknown>>;

/** Objects that select pods by their labels. They are kept by one label each, for a cluster has thousands of either. */
export class Selectors {
  readonly #byLabel = new Map<string, { readonly object: Manifest; readonly selector: Labels }[]>();

  constructor(objects: readonly Manifest[], selectorOf: (object: Manifest) => Labels) {
    for (const object of objects) {
      const selector = selectorOf(object);
      const key = keyOf(object.namespace, Object.entries(selector)[0]);
      const same = this.#byLabel.get(key);
      if (same) same.push({ object, selector });
      else this.#byLabel.set(key, [{ object, selector }]);
    }
  }

  /** The first that selects what has these labels; one with an empty selector selects everything in its namespace. */
  find(namespace: string, labels: Labels): Manifest | undefined {
    for (const entry of [...Object.entries(labels), undefined]) {
      const candidates = this.#byLabel.get(keyOf(namespace, entry)) ?? [];
      const found = candidates.find(({ selector }) =>
        Object.entries(selector).every(([key, value]) => labels[key] === value),
      );
      if (found) return found.object;
    }
    return undefined;
  }
}

const keyOf = (namespace: string, entry: readonly [string, unknown] | undefined): string =>
  JSON.stringify([namespace, ...(entry ?? [])]);
