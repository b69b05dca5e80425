import type { IpPrefix } from '@holdfast/policy';
import ipaddr from 'ipaddr.js';

/** Bits of an IPv6 address that count: a host changes the others as it likes, and a household has at least these to itself. */
const IPV6_PREFIX = 64;

/** What of a client's address decides where it goes; the text itself if it is no address. An IPv4 address in IPv6 form counts as IPv4. */
export function addressKey(address: string, prefix: IpPrefix = 32): string {
  if (!ipaddr.isValid(address)) return address;
  const parsed = ipaddr.process(address);
  const bits = parsed.kind() === 'ipv4' ? prefix : IPV6_PREFIX;
  const bytes = parsed.toByteArray().slice(0, bits / 8);
  return bytes.join('.');
}
