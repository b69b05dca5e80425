import { errors, HoldfastError } from '@holdfast/store';
import { ABORT, open, type RootDatabase, TransactionFlags } from 'lmdb';

/** Flags can be added, which their type does not say. */
const SYNCHRONOUS = (TransactionFlags.ABORTABLE | TransactionFlags.SYNCHRONOUS_COMMIT) as TransactionFlags;

/**
 * A lock between the processes that share a store. It is the write lock of an LMDB environment in which nothing is ever written, so
 * it has what a lock here needs: it is taken and given back within a microsecond, and the kernel frees it when its holder is killed.
 *
 * Why the data file's own write lock is not enough: opening an LMDB environment writes the transaction number that it has read to
 * the shared lock page, without holding that lock. A commit that falls between the read and the write is undone, and the next one
 * overwrites pages that are in use. With workers that are restarted while others write, that is a matter of minutes. So
 * all commits, and every opening and closing of the data file, happen inside the gate. Opening the gate itself has the same race,
 * but its transaction number never changes.
 */
export class Gate {
  readonly #environment: RootDatabase<Buffer, Buffer>;

  private constructor(environment: RootDatabase<Buffer, Buffer>) {
    this.#environment = environment;
  }

  static open(path: string): Gate {
    const gate = new Gate(
      open({
        path,
        noSubdir: true,
        noSync: true,
        overlappingSync: false,
        mapSize: 65_536,
        encoding: 'binary',
        keyEncoding: 'binary',
        ...PRIVATE,
      }),
    );
    try {
      gate.within(() => undefined);
      return gate;
    } catch (error) {
      void gate.close();
      throw error;
    }
  }

  /** Runs the body while no other process is inside. It must not call `within` again. */
  within<T>(body: () => T): T {
    let result: { readonly value: T } | undefined;
    this.#environment.transactionSync(() => {
      // lmdb-js does not say when the lock could not be taken; then there is no transaction and this is 0.
      if (!(this.#environment.getWriteTxnId() > 0)) throw new HoldfastError(errors.STORE, 'its lock cannot be taken');
      result = { value: body() };
      return ABORT;
    }, SYNCHRONOUS);
    return result!.value;
  }

  close(): Promise<void> {
    return this.#environment.close();
  }
}

/** Files that only this user can read. lmdb-js takes the option and its types do not know it. */
export const PRIVATE: object = { permissionsMode: 0o600 };
