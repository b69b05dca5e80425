import { errors, HoldfastError } from '@holdfast/protocol';

/** Largest `session.data`, as JSON. It is written with every change, so it is meant for what identifies, not for content. */
export const DATA_BYTES = 65_536;

/** A value that tells when anything inside it changes, so that `session.data.name = 'Ada'` is enough to keep it. */
export function observed<T>(value: T, changed: () => void): T {
  if (typeof value !== 'object' || value === null) return value;
  return new Proxy(value, {
    get: (target, key, receiver) => observed(Reflect.get(target, key, receiver), changed) as unknown,
    // What is set by `=` comes here as well.
    defineProperty(target, key, descriptor) {
      const done = Reflect.defineProperty(target, key, descriptor);
      changed();
      return done;
    },
    deleteProperty(target, key) {
      const done = Reflect.deleteProperty(target, key);
      changed();
      return done;
    },
  });
}

/** The JSON of `session.data`, or an error that says what is wrong with it. */
export function dataToJson(value: unknown): string {
  if (typeof value !== 'object' || value === null) throw new HoldfastError(errors.DATA, String(value));
  let json: string | undefined;
  try {
    json = JSON.stringify(value);
  } catch (cause) {
    throw new HoldfastError(errors.DATA, '', { cause });
  }
  if (json === undefined) throw new HoldfastError(errors.DATA, 'toJSON gives nothing');
  if (Buffer.byteLength(json) > DATA_BYTES) throw new HoldfastError(errors.DATA, `over ${DATA_BYTES} bytes`);
  return json;
}
