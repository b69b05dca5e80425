import { isIP } from 'node:net';
import { parse } from 'yaml';
import type { FoundPod } from '../pool/index.js';

const HOST = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?$/;
const EXAMPLE = '10.0.0.7:8080 or {"host": "10.0.0.7", "port": 8080, "weight": 2}';
const ID_LENGTH_MAX = 253;
const WEIGHT_MAX = 1_000;

/**
 * Reads a list of pods from YAML, of which JSON is a part: each is `host:port`, or an object with `host` and `port` and perhaps `id`, `weight`,
 * `backup` and `draining`. The list may also be under `pods`. Throws an `Error` that says which entry is wrong: half a list is worse than
 * the last one.
 */
export function readPods(text: string): FoundPod[] {
  // Aliases could make much of little; a list of pods needs none.
  const content: unknown = parse(text, { maxAliasCount: 0 });
  const list = isObject(content) ? content['pods'] : content;
  if (!Array.isArray(list)) throw new Error(`not a list of pods, each as ${EXAMPLE}`);
  return list.map((item: unknown, n) => readPod(item, `pod ${n + 1}`));
}

function readPod(item: unknown, where: string): FoundPod {
  if (typeof item === 'string') return { ...readAddress(item, where) };
  if (!isObject(item)) throw new Error(`${where} is not written as ${EXAMPLE}`);
  const { host, port, id, weight = 1, backup = false, draining = false } = item;
  const isGood =
    typeof host === 'string' &&
    isHost(host) &&
    isPort(port) &&
    (id === undefined || (typeof id === 'string' && id.length > 0 && id.length <= ID_LENGTH_MAX)) &&
    typeof weight === 'number' &&
    weight > 0 &&
    weight <= WEIGHT_MAX &&
    typeof backup === 'boolean' &&
    typeof draining === 'boolean';
  if (!isGood) throw new Error(`${where} is not written as ${EXAMPLE}`);
  return { host, port, id, weight, backup, draining };
}

function readAddress(text: string, where: string): { host: string; port: number } {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]*)\]|([^:]*)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain ?? '';
  const port = Number(digits);
  const isGood = bracketed === undefined ? isHost(host) : isIP(host) === 6;
  if (!isGood || !isPort(port)) throw new Error(`${where} is not written as ${EXAMPLE}`);
  return { host, port };
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isHost = (host: string): boolean => isIP(host) !== 0 || HOST.test(host);
const isPort = (port: unknown): port is number =>
  typeof port === 'number' && Number.isInteger(port) && port > 0 && port <= 65_535;
