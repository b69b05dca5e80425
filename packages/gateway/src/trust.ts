import { BlockList, isIP } from 'node:net';
import { errors, HoldfastError } from '@holdfast/protocol';
import { listOf } from './http/headers.js';

/** The proxies whose word on the client's address is taken. */
export class TrustedProxies {
  readonly #networks = new BlockList();
  readonly #isEmpty: boolean;

  /** Networks in CIDR notation, or single addresses. Throws `HF_OPTION`. */
  constructor(networks: readonly string[]) {
    this.#isEmpty = networks.length === 0;
    for (const network of networks) {
      const [address = '', prefix, ...more] = network.split('/');
      const family = isIP(address);
      const bits = family === 6 ? 128 : 32;
      const length = prefix === undefined ? bits : /^\d{1,3}$/.test(prefix) ? Number(prefix) : Infinity;
      if (family === 0 || more.length > 0 || length > bits) {
        throw new HoldfastError(
          errors.OPTION,
          `trustedProxies has ${JSON.stringify(network)}, not a network as 10.0.0.0/8`,
        );
      }
      this.#networks.addSubnet(address, length, family === 6 ? 'ipv6' : 'ipv4');
    }
  }

  trusts(address: string): boolean {
    if (this.#isEmpty) return false;
    const family = isIP(address);
    return family !== 0 && this.#networks.check(address, family === 6 ? 'ipv6' : 'ipv4');
  }

  /**
   * The address of the client. What proxies have noted is read from the right, as long as who noted it is trusted: what stands further to
   * the left may have been written by the client itself.
   */
  clientOf(peer: string, noted: readonly string[]): string {
    let client = peer;
    for (let i = noted.length - 1; i >= 0 && this.trusts(client); i--) {
      const address = plainAddress(noted[i] as string);
      if (address === undefined) break;
      client = address;
    }
    return client;
  }
}

/** What proxies have noted about clients, oldest first: `X-Forwarded-For`, or `Forwarded` (RFC 7239) where that is all there is. */
export function notedClients(headers: { readonly [name: string]: string | string[] | undefined }): string[] {
  const forwardedFor = textOf(headers['x-forwarded-for']);
  if (forwardedFor !== undefined) return listOf(forwardedFor).slice(-NOTED_MAX);
  return listOf(textOf(headers['forwarded']))
    .slice(-NOTED_MAX)
    .map((element) => pairOf(element, 'for') ?? '');
}

/** What the proxy nearest to us says of a request in `Forwarded`: its element is the last one. */
export const lastForwarded = (forwarded: string | undefined, name: 'host' | 'proto'): string | undefined =>
  pairOf(listOf(forwarded).at(-1) ?? '', name);

function pairOf(element: string, name: string): string | undefined {
  for (const pair of element.split(';')) {
    const [, key, quoted, bare] = /^\s*(\w+)\s*=\s*(?:"([^"]*)"|(\S*))\s*$/.exec(pair) ?? [];
    if (key?.toLowerCase() === name) return quoted ?? bare;
  }
  return undefined;
}

/** Longer chains are made up. */
const NOTED_MAX = 32;

const textOf = (value: string | string[] | undefined): string | undefined =>
  Array.isArray(value) ? value.join(', ') : value;

/** An address without port and brackets, IPv4 not inside IPv6; undefined if it is none (`unknown`, `_hidden`). */
export function plainAddress(text: string): string | undefined {
  const bare = /^\[([^\]]+)\](?::\d+)?$/.exec(text)?.[1] ?? /^(\d+(?:\.\d+){3}):\d+$/.exec(text)?.[1] ?? text;
  const address = /^::ffff:(\d+(?:\.\d+){3})$/i.exec(bare)?.[1] ?? bare;
  return isIP(address) === 0 ? undefined : address;
}
