import type { ConnectLimits, PRESETS } from '@holdfast/protocol';
import type { CloseEventOptions } from './close-event.js';
import type { SocketCloseEvent } from './events.js';
import type { Lifecycle } from './lifecycle.js';
import type { TransportOptions } from './options.js';
import type { Dial } from './transport.js';

/** Names the preset of breaker and attempts. */
export type Environment = keyof typeof PRESETS;

/** Where the program runs, and what told so. */
export interface DetectedEnvironment {
  readonly name: Environment;
  /** A variable such as `K_SERVICE`, the host name, `options`, or `default`. */
  readonly from: string;
}

/** What differs between a browser and Node; one file each. Everything here can be replaced by an option. */
export interface Platform {
  readonly CloseEvent: new (type: string, options: CloseEventOptions) => SocketCloseEvent;
  /** What a relative URL is relative to. */
  baseUrl(): string | undefined;
  environment(url: URL): DetectedEnvironment;
  /** Limits that the surroundings set; an option goes before them. */
  limits(): Partial<ConnectLimits>;
  lifecycle(): Lifecycle | undefined;
  dial(options: { readonly transport?: TransportOptions; readonly closeMs: number }): Dial;
}
