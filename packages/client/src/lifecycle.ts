import type { Hint } from '@holdfast/protocol';

/** What a page tells of its life: the parts of `window` and `document` that are listened to. A worker has no document. */
export interface Lifecycle {
  readonly window?: EventTarget;
  readonly document?: EventTarget & { readonly visibilityState: 'hidden' | 'visible' };
}

/**
 * Passes on what may have changed the network, or how much it may be used, until the returned function is called.
 *
 * A page on its way into the back/forward cache needs no care: its transport is closed or frozen, and what is not acknowledged is
 * kept. When it comes back (`pageshow`, `resume`) the transport is probed.
 */
export function watch({ window, document }: Lifecycle, tell: (hint: Hint) => void): () => void {
  const visibility = (): void => tell(document?.visibilityState === 'hidden' ? 'hidden' : 'visible');
  const stops: (() => void)[] = [];
  const on = (target: EventTarget | undefined, type: string, listener: (event: Event) => void): void => {
    target?.addEventListener(type, listener);
    stops.push(() => target?.removeEventListener(type, listener));
  };
  on(window, 'online', () => tell('online'));
  on(window, 'offline', () => tell('offline'));
  on(window, 'pageshow', (event) => (event as PageTransitionEvent).persisted && tell('woken'));
  on(document, 'resume', () => tell('woken'));
  on(document, 'visibilitychange', visibility);
  if (document?.visibilityState === 'hidden') visibility();
  return () => stops.forEach((stop) => stop());
}
