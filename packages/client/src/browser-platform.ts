import { isLoopback } from './endpoint.js';
import type { Platform } from './platform.js';
import { webDial } from './web-transport.js';

/** Taken when this is imported: a page may afterwards put our class in its place. */
const { WebSocket } = globalThis;

/** Browsers, and workers of theirs. */
export const browserPlatform: Platform = {
  CloseEvent: globalThis.CloseEvent,
  baseUrl: () => globalThis.document?.baseURI ?? globalThis.location?.href,
  environment: ({ hostname }) => ({ name: isLoopback(hostname) ? 'development' : 'production', from: hostname }),
  limits: () => ({}),
  // Some runtimes that take the entry for browsers have no page, and no events of their own either.
  lifecycle: () => ({
    window: 'addEventListener' in globalThis ? globalThis : undefined,
    document: globalThis.document,
  }),
  dial: () => webDial(WebSocket),
};
