/** Below this many connections a pod is never over its bound: a handful is no load, and moving them would only lose affinity. */
export const FREE_CONNECTIONS = 16;

/**
 * The most connections a pod may have for a key to go to it although others have fewer: its share of all, `maxLoad` times over
 * ("Consistent Hashing with Bounded Loads", Mirrokni, Thorup and Zadimoghaddam, 2016). Whoever finds it full takes the next in its order.
 *
 * @param total connections of all pods that take any, the new one included
 * @param share the pod's part of all, 0 to 1
 * @param maxLoad 1.25 lets a pod have a quarter more than its share; Infinity bounds nothing
 */
export function loadBound(total: number, share: number, maxLoad: number): number {
  return Math.max(FREE_CONNECTIONS, Math.ceil(total * share * maxLoad));
}
