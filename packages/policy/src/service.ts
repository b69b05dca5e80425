import { isLeaf, isList, valueIn, type Node, type Origin } from './document.js';
import type { PodAddress, Service, ServicePort } from './policy.js';
import type { Reading } from './reading.js';
import { fill } from './template.js';
import { nearest } from './words.js';

export function serviceOf(reading: Reading, policyName: string, words: Readonly<Record<string, string>>): Service {
  const name = fill(reading, reading.text('service.name', ['service', 'name']) ?? policyName, words, [
    'service',
    'name',
  ]);
  const ports = portsOf(reading);
  const chosen = reading.node('service', 'port');
  const port = isLeaf(chosen) ? portNamed(reading, ports, chosen.value, chosen.at) : undefined;
  if (isLeaf(chosen)) reading.note('service.port', chosen.at);
  const main = port ?? ports.find((one) => one.name === 'http') ?? ports[0] ?? DEFAULT_PORT;
  const clientIp = reading.node('service', 'clientIp');
  if (isLeaf(clientIp)) reading.note('service.clientIpMs', clientIp.at);
  const clientIpMs = isLeaf(clientIp) ? reading.duration(clientIp) : undefined;
  const image = reading.text('service.image', ['service', 'image']);
  const language = reading.text('service.language', ['service', 'language']);
  return {
    name,
    ports: ports.length > 0 ? ports : [main],
    port: main,
    ...(clientIpMs !== undefined && { clientIpMs }),
    ...(image !== undefined && { image }),
    ...(language !== undefined && { language }),
  };
}

const DEFAULT_PORT: ServicePort = { name: 'http', port: 80, targetPort: 80, protocol: 'http' };

/** What `ports` lists, or the one port that `port` gives as a number. */
function portsOf(reading: Reading): ServicePort[] {
  const ports = Array.from(reading.branch('service', 'ports')?.entries ?? [], ([name, { node }]) => portOf(name, node));
  const single = reading.node('service', 'port');
  if (ports.length > 0 || !isLeaf(single) || typeof single.value !== 'number') return ports;
  return [{ ...DEFAULT_PORT, port: single.value, targetPort: single.value }];
}

function portOf(name: string, node: Node): ServicePort {
  const port = Number(isLeaf(node) ? node.value : valueIn(node, 'port'));
  const said = valueIn(node, 'protocol');
  const protocol = said === 'grpc' || said === 'tcp' || said === 'http' ? said : name === 'grpc' ? 'grpc' : 'http';
  return { name, port, targetPort: Number(valueIn(node, 'target') ?? port), protocol };
}

/** A port by its name or its number. */
export function portNamed(
  reading: Reading,
  ports: readonly ServicePort[],
  wanted: unknown,
  at: Origin,
): ServicePort | undefined {
  const found = ports.find(({ name, port }) => name === wanted || port === wanted);
  if (found === undefined) {
    const names = ports.map(({ name }) => name);
    reading.problem(at, 'service.ports', `the service has no port ${String(wanted)}`, {
      expected: names.length === 0 ? 'a number, as there are no `ports`' : `one of ${names.join(', ')}`,
      nearest: nearest(String(wanted), names),
    });
  }
  return found;
}

export function podsOf(reading: Reading): PodAddress[] {
  const list = reading.node('pods');
  return (isList(list) ? list.items : []).map((item) => {
    const address = addressOf(reading, String(isLeaf(item) ? item.value : valueIn(item, 'address')), item.at, 'pods');
    if (address.port === 0)
      reading.problem(item.at, 'pods', 'a pod has a port', { expected: 'a port from 1 to 65535' });
    return { ...address, weight: Number(valueIn(item, 'weight') ?? 1), backup: valueIn(item, 'backup') === true };
  });
}

/** `host:port`, the host of IPv6 in brackets. */
export function addressOf(reading: Reading, text: string, at: Origin, key: string): { host: string; port: number } {
  const [, host = '', digits] = /^(\[.*\]|[^:]*):(\d+)$/.exec(text) ?? [];
  const port = Number(digits);
  if (!(port <= 65_535))
    reading.problem(at, key, `${text} has no port that exists`, { expected: 'a port from 0 to 65535' });
  return { host: host.replace(/^\[|\]$/g, ''), port };
}
