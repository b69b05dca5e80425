import { surroundingsOf } from '@holdfast/protocol';
import { CloseEvent } from './close-event.js';
import { limitsOf } from './node-environment.js';
import type { Platform } from './platform.js';
import { wsDial } from './ws-transport.js';

/** Node. A machine that slept is noticed by a timer that fires late; there is nothing else to listen to. */
export const nodePlatform: Platform = {
  CloseEvent: globalThis.CloseEvent ?? CloseEvent,
  baseUrl: () => undefined,
  environment: () => surroundingsOf(process.env),
  limits: () => limitsOf(process.env),
  lifecycle: () => undefined,
  dial: ({ transport, closeMs }) => wsDial({ closeTimeout: closeMs, ...transport }),
};
