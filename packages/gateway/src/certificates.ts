import { readFileSync, statSync } from 'node:fs';
import { createSecureContext, type SecureContext } from 'node:tls';
import type { GatewayListener } from '@holdfast/policy';
import { errors, HoldfastError } from '@holdfast/protocol';

const MIN_VERSION = 'TLSv1.2';

type Files = GatewayListener['certificates'][number];

interface Loaded extends Files {
  readonly cert: Buffer;
  readonly privateKey: Buffer;
  readonly context: SecureContext;
  /** Of both files, when they were read. */
  readonly stamp: string;
}

/** The certificates of a listener, chosen by the name that a client asks for (SNI), and read again when their files change. */
export class Certificates {
  #loaded: readonly Loaded[];

  /** Throws `HF_CERTIFICATE`. */
  constructor(files: readonly Files[]) {
    this.#loaded = files.map(load);
  }

  /** For a name: its own, a wildcard's, else the first. */
  find(name: string | undefined): SecureContext | undefined {
    const host = (name ?? '').toLowerCase();
    const wildcard = `*.${host.split('.').slice(1).join('.')}`;
    const found = this.#loaded.find((one) => one.host === host) ?? this.#loaded.find((one) => one.host === wildcard);
    return (found ?? this.#loaded[0])?.context;
  }

  /** The first, for clients that name no host. */
  get first(): { cert: Buffer; key: Buffer; minVersion: 'TLSv1.2' } {
    const { cert, privateKey } = this.#loaded[0] as Loaded;
    return { cert, key: privateKey, minVersion: MIN_VERSION };
  }

  /**
   * Reads again what has changed. What cannot be read or does not fit together (a key that is replaced after its certificate) is kept
   * as it was, and given to `problem`: the next call may find it whole.
   */
  refresh(problem: (error: unknown) => void): boolean {
    let isChanged = false;
    this.#loaded = this.#loaded.map((one) => {
      try {
        if (stampOf(one) === one.stamp) return one;
        const fresh = load(one);
        isChanged = true;
        return fresh;
      } catch (error) {
        problem(error);
        return one;
      }
    });
    return isChanged;
  }
}

const stampOf = ({ certificate, key }: Files): string =>
  [certificate, key]
    .map((path) => statSync(path))
    .map(({ mtimeMs, ino, size }) => `${mtimeMs} ${ino} ${size}`)
    .join();

function load({ host, certificate, key }: Files): Loaded {
  try {
    const stamp = stampOf({ host, certificate, key });
    const cert = readFileSync(certificate);
    const privateKey = readFileSync(key);
    const context = createSecureContext({ cert, key: privateKey, minVersion: MIN_VERSION });
    return { host: host.toLowerCase(), certificate, key, cert, privateKey, context, stamp };
  } catch (cause) {
    throw new HoldfastError(errors.CERTIFICATE, `${certificate} and ${key}`, { cause });
  }
}
