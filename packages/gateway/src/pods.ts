import { isIP } from 'node:net';
import type { Environment } from '@holdfast/policy';
import { errors, HoldfastError } from '@holdfast/protocol';
import type { Clock } from './clock.js';
import { Checker } from './pool/checker.js';
import { Pool, poolOptionsOf, type FoundPod, type PodReport } from './pool/index.js';
import { httpProbe, webSocketProbe } from './pool/probes.js';

/** The pods of a gateway: what discovery finds, and what somebody has added or removed by hand. */
export class Pods {
  readonly pool: Pool;
  #found: readonly FoundPod[] = [];
  readonly #added = new Map<string, FoundPod>();
  readonly #removed = new Set<string>();
  readonly #clock: Clock;
  readonly #random: () => number;
  #environment: Environment;
  #checker: Checker | undefined;

  constructor(environment: Environment, clock: Clock, random: () => number) {
    this.pool = new Pool({ ...poolOptionsOf(environment), clock });
    this.#environment = environment;
    this.#clock = clock;
    this.#random = random;
    this.found(environment.pods);
  }

  /** Begins to check pods. */
  start(): void {
    this.#check();
  }

  /** Takes a new policy. How many failures make a pod rest stays as it was at the start. */
  reload(environment: Environment): void {
    this.#environment = environment;
    this.found(environment.pods);
    if (this.#checker) this.#check();
  }

  close(): void {
    this.#checker?.close();
    this.pool.close();
  }

  /** All that discovery finds now. */
  found(pods: readonly FoundPod[]): void {
    this.#found = pods;
    this.#apply();
  }

  report(): PodReport[] {
    return this.pool.report();
  }

  drain(id: string): boolean {
    return this.pool.drain(id);
  }

  undrain(id: string): boolean {
    return this.pool.undrain(id);
  }

  /** Adds a pod by hand, or takes one back that was removed by hand; it lasts as long as this process. Throws `HF_OPTION`. */
  add(given: unknown): string {
    const pod = readPod(given);
    const id = keyOf(pod);
    this.#removed.delete(id);
    if (!this.#found.some((one) => keyOf(one) === id)) this.#added.set(id, pod);
    this.#apply();
    return id;
  }

  /** Takes a pod away although discovery finds it. False if there is none. */
  remove(id: string): boolean {
    if (!this.pool.report().some((pod) => pod.id === id)) return false;
    if (!this.#added.delete(id)) this.#removed.add(id);
    this.#apply();
    return true;
  }

  #check(): void {
    const {
      check = 'http',
      checkPath = '/',
      intervalMs,
      timeoutMs,
      rise = 2,
      fall = 3,
      readyPath,
    } = this.#environment.health;
    this.#checker?.close();
    if (check === 'off') return;
    const probe = check === 'http' ? httpProbe(readyPath) : webSocketProbe(checkPath);
    this.#checker = new Checker(this.pool, probe, { intervalMs, timeoutMs, rise, fall }, this.#clock, this.#random);
  }

  #apply(): void {
    this.pool.found([...this.#found.filter((pod) => !this.#removed.has(keyOf(pod))), ...this.#added.values()]);
  }
}

const keyOf = ({ id, host, port }: FoundPod): string =>
  id ?? (host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`);

/** A host name or an address, a port, and perhaps a weight. */
function readPod(given: unknown): FoundPod {
  const { host, port, weight = 1, backup = false } = Object(given) as Record<string, unknown>;
  const isHost =
    typeof host === 'string' && (isIP(host) !== 0 || /^[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/.test(host));
  const isPort = Number.isInteger(port) && (port as number) > 0 && (port as number) <= 65_535;
  const isWeight = typeof weight === 'number' && weight > 0 && weight <= 1_000;
  if (!isHost || !isPort || !isWeight || typeof backup !== 'boolean') {
    throw new HoldfastError(errors.OPTION, 'a pod is {"host": "10.0.0.7", "port": 8080, "weight": 1, "backup": false}');
  }
  return { host, port: port as number, weight, backup };
}
