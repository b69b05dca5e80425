import type { KubeConfig } from '@kubernetes/client-node';
import type { EndpointSlice } from './endpoint-slices.js';

export interface SliceList {
  readonly metadata?: { readonly resourceVersion?: string };
  readonly items: readonly EndpointSlice[];
}

export interface WatchHandlers {
  /** An event; an `object` has a `metadata.resourceVersion`, or is a `Status` where `type` is `ERROR`. */
  readonly heard: (type: string, object: unknown) => void;
  /** It is over: without an error when the server or we have ended it. Called once. */
  readonly done: (error: unknown) => void;
}

/** The two things that are asked of an API server. */
export interface SliceClient {
  list(signal: AbortSignal): Promise<SliceList>;
  /** Watches from a version on; the returned function ends it. */
  watch(version: string, watchMs: number, handlers: WatchHandlers): Promise<() => void>;
}

/** Longest wait for a list. */
const LIST_MS = 30_000;

/**
 * A client of the API server for the EndpointSlices of one Service. The library is large and few need it, so it is loaded when somebody does.
 * Without a `config` it takes the pod's service account, else the user's kubeconfig; made anew each time, as tokens rotate.
 */
export async function sliceClient(namespace: string, service: string, config?: KubeConfig): Promise<SliceClient> {
  const { DiscoveryV1Api, KubeConfig: Config, Observable, Watch } = await import('@kubernetes/client-node');
  const used = config ?? new Config();
  if (config === undefined) used.loadFromDefault();
  const api = used.makeApiClient(DiscoveryV1Api);
  const watch = new Watch(used);
  const labelSelector = `kubernetes.io/service-name=${service}`;
  return {
    list(signal) {
      const limited = AbortSignal.any([signal, AbortSignal.timeout(LIST_MS)]);
      const middleware = {
        pre: <T extends { setSignal(signal: AbortSignal): void }>(request: T) => {
          request.setSignal(limited);
          return new Observable(Promise.resolve(request));
        },
        post: <T>(response: T) => new Observable(Promise.resolve(response)),
      };
      return api.listNamespacedEndpointSlice({ namespace, labelSelector }, { middleware: [middleware] });
    },
    async watch(resourceVersion, watchMs, { heard, done }) {
      const path = `/apis/discovery.k8s.io/v1/namespaces/${encodeURIComponent(namespace)}/endpointslices`;
      const query = { labelSelector, resourceVersion, allowWatchBookmarks: true, timeoutSeconds: watchMs / 1_000 };
      const abort = await watch.watch(path, query, heard, (error: unknown) => {
        const isEnd = error == null || (error instanceof Error && error.name === 'AbortError');
        done(isEnd ? undefined : error);
      });
      return () => abort.abort();
    },
  };
}

/** The HTTP status in an error of the library, or the code of a `Status` object in a watch. */
export function statusOf(error: unknown): number | undefined {
  const { code, statusCode } = Object(error) as { code?: unknown; statusCode?: unknown };
  return [code, statusCode].find((one) => typeof one === 'number');
}
