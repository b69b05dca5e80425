import { type Branch, isBranch, isLeaf, isList, valueIn, type Node } from './document.js';
import type { Discovery, GatewayListener, GatewayPolicy, Service } from './policy.js';
import type { Reading } from './reading.js';
import { addressOf, portNamed } from './service.js';

/** What is written short as the address alone, or as a mapping with an `address`. */
const addressIn = (reading: Reading, node: Node, key: string): { host: string; port: number } =>
  addressOf(reading, String(isLeaf(node) ? node.value : valueIn(node, 'address')), node.at, key);

export function gatewayOf(reading: Reading, service: Service): GatewayPolicy {
  const listen = reading.items('gateway', 'listen').map((node) => listenerOf(reading, node));
  const admin = reading.node('gateway', 'admin');
  const tokenFile = valueIn(admin, 'tokenFile');
  listenOnce(reading);
  return {
    listen: listen.length > 0 ? listen : [{ host: '0.0.0.0', port: 8_080, certificates: [], proxyProtocol: false }],
    ...(admin && {
      admin: { ...addressIn(reading, admin, 'gateway.admin'), ...(typeof tokenFile === 'string' && { tokenFile }) },
    }),
    trustedProxies: networksOf(reading),
    discovery: discoveryOf(reading, service),
    accessLog: oneOf(reading, 'accessLog', ['json', 'nginx', 'off']),
    errorBodies: oneOf(reading, 'errorBodies', ['json', 'html']),
  };
}

/** The second to listen on an address would find it taken. */
function listenOnce(reading: Reading): void {
  const nodes = [...reading.items('gateway', 'listen'), ...reading.items('gateway', 'admin')];
  const seen = new Set<string>();
  for (const node of nodes) {
    const address = String(isLeaf(node) ? node.value : valueIn(node, 'address'));
    if (seen.has(address) && !address.endsWith(':0')) {
      reading.problem(node.at, 'gateway', `${address} is listened on already`, { expected: 'another port' });
    }
    seen.add(address);
  }
}

/** A word of the schema's, the first where none is given. */
function oneOf<Word extends string>(reading: Reading, key: string, words: readonly [Word, ...Word[]]): Word {
  const said = reading.text(`gateway.${key}`, ['gateway', key]);
  return words.find((word) => word === said) ?? words[0];
}

function listenerOf(reading: Reading, node: Node): GatewayListener {
  const certificates = isBranch(node) ? node.entries.get('certificates')?.node : undefined;
  return {
    ...addressIn(reading, node, 'gateway.listen'),
    certificates: (isList(certificates) ? certificates.items : []).map((item) => ({
      host: String(valueIn(item, 'host')),
      certificate: String(valueIn(item, 'certificate')),
      key: String(valueIn(item, 'key')),
    })),
    proxyProtocol: valueIn(node, 'proxyProtocol') === true,
  };
}

const CIDR = /^[\da-fA-F.:]{2,45}(?:\/\d{1,3})?$/;

function networksOf(reading: Reading): string[] {
  const leaves = reading.items('gateway', 'trustedProxies').filter(isLeaf);
  for (const { value, at } of leaves) {
    if (!CIDR.test(String(value))) {
      reading.problem(at, 'gateway.trustedProxies', `${String(value)} is not a network`, {
        expected: 'a CIDR such as 10.0.0.0/8',
      });
    }
  }
  return leaves.map(({ value }) => String(value));
}

function discoveryOf(reading: Reading, service: Service): Discovery {
  const node = reading.node('gateway', 'discovery');
  if (!isBranch(node)) return { from: 'static' };
  const ways = ['dns', 'kubernetes', 'file'].filter((way) => node.entries.has(way));
  if (ways.length !== 1) {
    reading.problem(node.at, 'gateway.discovery', 'pods are found in one way', {
      expected: 'one of dns, kubernetes, file',
    });
  }
  const port = valueIn(node, 'port');
  if (node.entries.has('file')) return { from: 'file', path: String(valueIn(node, 'file')) };
  if (node.entries.has('kubernetes')) {
    const namespace = valueIn(node, 'namespace') ?? reading.text('namespace', ['namespace']) ?? 'default';
    const name = String(valueIn(node, 'kubernetes') ?? service.name);
    return {
      from: 'kubernetes',
      namespace: String(namespace),
      service: name,
      ...(port !== undefined && { port: String(port) }),
    };
  }
  const refresh = node.entries.get('refresh')?.node;
  return {
    from: 'dns',
    name: String(valueIn(node, 'dns')),
    record: valueIn(node, 'record') === 'SRV' ? 'SRV' : 'A',
    ...(port !== undefined && { port: podPort(reading, node, String(port), service) }),
    refreshMs: (isLeaf(refresh) ? reading.duration(refresh) : undefined) ?? 5_000,
  };
}

/** DNS knows no names of ports, but the Service does: its pods listen on what is behind its own. */
function podPort(reading: Reading, { entries, at }: Branch, port: string, { ports }: Service): number {
  if (/^\d+$/.test(port)) return Number(port);
  return portNamed(reading, ports, port, entries.get('port')?.node.at ?? at)?.targetPort ?? 0;
}
