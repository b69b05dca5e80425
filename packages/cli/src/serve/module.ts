import type { Server as HttpServer } from 'node:http';
import { pathToFileURL } from 'node:url';
import type { WebSocketServer } from '@holdfast/server';
import { errors, HoldfastError } from '@holdfast/store';

/** What `holdfast serve` gives to the default export of a module. */
export interface ServeContext {
  /** Holds the sessions; its options are the flags of the command. */
  readonly wss: WebSocketServer;
  /**
   * Gets the requests that the worker gets, except for `/healthz` and `/readyz`, and the upgrades that are not for `wss`. It does
   * not listen itself, so its own limits and timeouts are without effect.
   */
  readonly http: HttpServer;
  readonly pod: ServePod;
}

/** The worker that the module runs in. */
export interface ServePod {
  /** Its name among those that share the store: of this run of this process only. */
  readonly id: string;
  /** Which of the workers it is, from 1. One that replaces another has the number of that one. */
  readonly index: number;
  readonly pid: number;
  /** How many workers there are. */
  readonly workers: number;
  readonly store: 'memory' | 'lmdb' | 'redis';
  /** The address listened on. */
  readonly host: string;
  /** Where it is served, for a browser on this machine. */
  readonly url: string;
  /** Restarts all workers one after another, as SIGHUP does. This one is among them. */
  restartAll(): void;
}

/** The default export of a module that `holdfast serve` can serve. The worker listens when it has returned, or resolved. */
export type ServeModule = (context: ServeContext) => void | Promise<void>;

/** Imports a module and runs its default export. */
export async function runModule(path: string, context: ServeContext): Promise<void> {
  let module: { readonly default?: unknown };
  try {
    module = (await import(pathToFileURL(path).href)) as typeof module;
  } catch (cause) {
    throw new HoldfastError(errors.MODULE, 'it cannot be imported', { cause });
  }
  if (typeof module.default !== 'function') {
    throw new HoldfastError(errors.MODULE, `its default export is ${describe(module.default)}`);
  }
  try {
    await (module.default as ServeModule)(context);
  } catch (cause) {
    throw new HoldfastError(errors.MODULE, 'its default function failed', { cause });
  }
}

const describe = (value: unknown): string => (value === undefined ? 'missing' : `a value of type ${typeof value}`);
