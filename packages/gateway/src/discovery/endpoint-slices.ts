import { idOf, type FoundPod } from '../pool/index.js';

/** What is read of a `discovery.k8s.io/v1` EndpointSlice. */
export interface EndpointSlice {
  readonly metadata?: { readonly name?: string };
  readonly addressType?: string;
  readonly ports?: readonly { readonly name?: string; readonly port?: number; readonly protocol?: string }[] | null;
  readonly endpoints?: readonly Endpoint[] | null;
}

interface Endpoint {
  readonly addresses?: readonly string[];
  readonly conditions?: { readonly ready?: boolean; readonly serving?: boolean; readonly terminating?: boolean };
  readonly targetRef?: { readonly kind?: string; readonly name?: string };
}

/**
 * The pods in the slices of one Service. `port` is the name of a port of the Service, or its number at the pods; without it the first TCP port is taken. A pod's id is
 * its name, so that affinity to a pod of a StatefulSet outlives its address.
 *
 * | conditions                  | the pod                                                    |
 * |-----------------------------|------------------------------------------------------------|
 * | terminating and serving     | drains: its connections should leave                       |
 * | terminating and not serving | is gone                                                    |
 * | not ready                   | gets no new connections, and keeps those that it has       |
 * | ready, or not said          | is ready                                                   |
 */
export function podsOf(slices: Iterable<EndpointSlice>, port?: string): FoundPod[] {
  const pods = new Map<string, FoundPod>();
  for (const slice of slices) {
    const number = portOf(slice, port);
    if (number === undefined || slice.addressType === 'FQDN') continue;
    for (const endpoint of slice.endpoints ?? []) {
      const pod = podOf(endpoint, number);
      if (pod === undefined) continue;
      // While slices are rearranged, and with two IP families, a pod is in two of them; the better one counts.
      const other = pods.get(pod.id);
      if (other === undefined || rankOf(pod) > rankOf(other)) pods.set(pod.id, pod);
    }
  }
  return [...pods.values()].sort((a, b) => ((a.id ?? '') < (b.id ?? '') ? -1 : 1));
}

function podOf(
  { addresses, conditions = {}, targetRef }: Endpoint,
  port: number,
): (FoundPod & { id: string }) | undefined {
  const host = addresses?.[0];
  const isTerminating = conditions.terminating === true;
  if (host === undefined || (isTerminating && conditions.serving === false)) return undefined;
  const id = targetRef?.kind === 'Pod' && targetRef.name !== undefined ? targetRef.name : idOf({ host, port });
  return { id, host, port, draining: isTerminating, ready: isTerminating || conditions.ready !== false };
}

const portOf = ({ ports }: EndpointSlice, name?: string): number | undefined =>
  ports?.find(
    (one) => (one.protocol ?? 'TCP') === 'TCP' && (name === undefined || one.name === name || `${one.port}` === name),
  )?.port;

const rankOf = ({ draining, ready }: FoundPod): number => (draining === true ? 0 : ready === true ? 2 : 1);
