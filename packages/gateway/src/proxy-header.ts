import { isIP, type Socket } from 'node:net';
import { plainAddress } from './trust.js';

const SIGNATURE_V2 = Buffer.from([13, 10, 13, 10, 0, 13, 10, 81, 85, 73, 84, 10]);
/** The longest first line of version 1, its end included. */
const LINE_BYTES_MAX = 107;
/** Of version 2: header, addresses and as many extensions as anybody sends. */
const HEADER_BYTES_MAX = 4_096;

/** What a PROXY protocol header says, and where what follows begins. Without an address it comes from the balancer itself. */
export interface ProxyHeader {
  readonly address: string | undefined;
  readonly bytes: number;
}

/** Reads the header (versions 1 and 2 of HAProxy's proxy-protocol.txt); `more` when not all of it is there yet. */
export function readProxyHeader(bytes: Buffer): ProxyHeader | 'more' | 'invalid' {
  const isV2 = bytes.subarray(0, 12).equals(SIGNATURE_V2.subarray(0, bytes.length));
  if (isV2) return bytes.length < 16 ? 'more' : readV2(bytes);
  return readV1(bytes);
}

function readV1(bytes: Buffer): ProxyHeader | 'more' | 'invalid' {
  const begin = Buffer.from('PROXY ');
  if (!bytes.subarray(0, 6).equals(begin.subarray(0, bytes.length))) return 'invalid';
  const end = bytes.subarray(0, LINE_BYTES_MAX).indexOf('\r\n');
  if (end < 0) return bytes.length >= LINE_BYTES_MAX ? 'invalid' : 'more';
  const [, family, source = '', destination = '', ...ports] = bytes.toString('latin1', 0, end).split(' ');
  if (family === 'UNKNOWN') return { address: undefined, bytes: end + 2 };
  const version = family === 'TCP4' ? 4 : family === 'TCP6' ? 6 : -1;
  const isValid =
    isIP(source) === version && isIP(destination) === version && ports.length === 2 && ports.every(isPort);
  return isValid ? { address: plainAddress(source), bytes: end + 2 } : 'invalid';
}

const isPort = (text: string): boolean => /^\d{1,5}$/.test(text) && Number(text) <= 65_535;

function readV2(bytes: Buffer): ProxyHeader | 'more' | 'invalid' {
  const command = bytes[12] as number;
  const family = (bytes[13] as number) >> 4;
  const length = 16 + bytes.readUInt16BE(14);
  if (command !== 0x20 && command !== 0x21) return 'invalid';
  if (length > HEADER_BYTES_MAX) return 'invalid';
  if (bytes.length < length) return 'more';
  // LOCAL: a check of the balancer's own. Families other than IP carry no address of use.
  if (command === 0x20 || family === 0 || family === 3) return { address: undefined, bytes: length };
  if (family === 1 && length >= 28) return { address: bytes.subarray(16, 20).join('.'), bytes: length };
  if (family === 2 && length >= 52) return { address: ipv6(bytes.subarray(16, 32)), bytes: length };
  return 'invalid';
}

function ipv6(bytes: Buffer): string | undefined {
  const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(i * 2).toString(16)).join(':');
  const mapped = groups.startsWith('0:0:0:0:0:ffff:') ? bytes.subarray(12).join('.') : groups;
  return plainAddress(mapped);
}

/** Takes the header off a connection; gives the address, or why there is none. What follows stays to be read. */
export function takeProxyHeader(
  socket: Socket,
  done: (result: { address: string | undefined } | 'invalid') => void,
): void {
  let read = Buffer.alloc(0);
  const onReadable = (): void => {
    for (let chunk = socket.read() as Buffer | null; chunk !== null; chunk = socket.read() as Buffer | null) {
      read = Buffer.concat([read, chunk]);
      const header = readProxyHeader(read);
      if (header === 'more') continue;
      socket.off('readable', onReadable);
      if (header === 'invalid') return done('invalid');
      if (read.length > header.bytes) socket.unshift(read.subarray(header.bytes));
      return done({ address: header.address });
    }
  };
  socket.on('readable', onReadable);
}
