import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { errors, HoldfastError } from '@holdfast/protocol';

const KEYS_MAX = 8;
const KEY_CHARACTERS_MIN = 32;

/** The secrets that sign cookies. The first signs; those behind it, which it has replaced, still verify. */
export class CookieKeys {
  static #own: CookieKeys | undefined;
  readonly #secrets: readonly string[];

  constructor(secrets: readonly string[]) {
    const isGood =
      secrets.length > 0 && secrets.length <= KEYS_MAX && secrets.every(({ length }) => length >= KEY_CHARACTERS_MIN);
    // No detail: it would put a secret into a log.
    if (!isGood) throw new HoldfastError(errors.COOKIE_KEYS);
    this.#secrets = secrets;
  }

  /** Reads a key file. Throws `HF_COOKIE_KEYS`. */
  static read(path: string): CookieKeys {
    let text: string;
    try {
      text = readFileSync(path, 'utf8');
    } catch (cause) {
      throw new HoldfastError(errors.COOKIE_KEYS, `${path} cannot be read`, { cause });
    }
    return CookieKeys.parse(text);
  }

  /** From the text of a key file: one secret a line; empty lines and those that begin with # do not count. Throws `HF_COOKIE_KEYS`. */
  static parse(text: string): CookieKeys {
    const lines = text.split('\n').map((line) => line.trim());
    return new CookieKeys(lines.filter((line) => line !== '' && !line.startsWith('#')));
  }

  /** Those of this process, for a gateway that has no file: its cookies are worth nothing to others, nor after a restart. */
  static get own(): CookieKeys {
    return (CookieKeys.#own ??= new CookieKeys([randomBytes(32).toString('base64url')]));
  }

  /** `text` and its signature. */
  sign(text: string): string {
    return `${text}.${macOf(this.#secrets[0] as string, 'cookie', text, 16)}`;
  }

  /** What was signed, and with which of the keys (0 for the newest); `undefined` if it was none of them. */
  verify(signed: string): { readonly text: string; readonly key: number } | undefined {
    const end = signed.lastIndexOf('.');
    const text = signed.slice(0, Math.max(0, end));
    const given = Buffer.from(signed.slice(end + 1));
    const key = this.#secrets.findIndex((secret) => {
      const expected = Buffer.from(macOf(secret, 'cookie', text, 16));
      return expected.length === given.length && timingSafeEqual(expected, given);
    });
    return key < 0 ? undefined : { text, key };
  }

  /** A pod's name in a cookie, which tells a stranger neither its address nor how many pods there are. */
  tag(podId: string, key = 0): string {
    return macOf(this.#secrets[key] as string, 'pod', podId, 8);
  }
}

const macOf = (secret: string, purpose: string, text: string, bytes: number): string =>
  createHmac('sha256', secret).update(`${purpose}\n${text}`).digest().subarray(0, bytes).toString('base64url');
