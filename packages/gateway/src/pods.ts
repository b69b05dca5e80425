import { isIP } from 'node:net';
import type { Environment } from '@holdfast/policy';
import { errors, HoldfastError } from '@holdfast/protocol';
import type { Clock } from './clock.js';
import { discover, type Lookout } from './discovery/index.js';
import { Checker } from './pool/checker.js';
import { idOf, Pool, poolOptionsOf, type FoundPod, type PodReport } from './pool/index.js';
import { httpProbe, webSocketProbe } from './pool/probes.js';

/** The pods of a gateway: what discovery finds, and what somebody has added or removed by hand. */
export class Pods {
  readonly pool: Pool;
  #found: readonly FoundPod[] = [];
  readonly #added = new Map<string, FoundPod>();
  readonly #removed = new Set<string>();
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #troubled: (error: HoldfastError) => void;
  #environment: Environment;
  #lookout: Lookout | undefined;
  #checker: Checker | undefined;

  /** `troubled` is told when pods cannot be looked up. */
  constructor(
    environment: Environment,
    clock: Clock,
    random: () => number,
    troubled: (error: HoldfastError) => void = () => {},
  ) {
    this.pool = new Pool({ ...poolOptionsOf(environment), clock });
    this.#environment = environment;
    this.#clock = clock;
    this.#random = random;
    this.#troubled = troubled;
    if (isChecked(environment)) this.pool.awaitChecks();
    this.#takeStatic();
  }

  /** Begins to look for pods, and to check them. */
  start(): void {
    this.#look();
    this.#check();
  }

  /** Takes a new policy. How many failures make a pod rest stays as it was at the start. */
  reload(environment: Environment): void {
    const isSame = sourceOf(environment) === sourceOf(this.#environment);
    const hasStarted = this.#lookout !== undefined;
    this.#environment = environment;
    if (!hasStarted) return this.#takeStatic();
    if (!isSame) this.#look();
    this.#check();
  }

  close(): void {
    this.#lookout?.close();
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
    const id = idOf(pod);
    this.#removed.delete(id);
    if (!this.#found.some((one) => idOf(one) === id)) this.#added.set(id, pod);
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

  /** Pods that are written in the policy are there before anything is started. */
  #takeStatic(): void {
    const { gateway, pods } = this.#environment;
    if (gateway.discovery.from === 'static') this.found(pods);
  }

  #look(): void {
    this.#lookout?.close();
    const finder = { found: (pods: readonly FoundPod[]) => this.found(pods), troubled: this.#troubled };
    this.#lookout = discover(this.#environment, finder, this.#clock, this.#random);
  }

  #check(): void {
    const { check, checkPath = '/', intervalMs, timeoutMs, rise = 2, fall = 3, readyPath } = this.#environment.health;
    this.#checker?.close();
    this.#checker = undefined;
    if (!isChecked(this.#environment)) return this.pool.endChecks();
    const probe = check === 'websocket' ? webSocketProbe(checkPath) : httpProbe(readyPath);
    this.#checker = new Checker(this.pool, probe, { intervalMs, timeoutMs, rise, fall }, this.#clock, this.#random);
  }

  #apply(): void {
    this.pool.found([...this.#found.filter((pod) => !this.#removed.has(idOf(pod))), ...this.#added.values()]);
  }
}

const isChecked = ({ health }: Environment): boolean => health.check !== 'off';

/** All that decides where pods come from. */
const sourceOf = ({ gateway, pods }: Environment): string => JSON.stringify([gateway.discovery, pods]);

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
