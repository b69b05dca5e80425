/** What is said of many clocks in the same words. */
export const EITHER = 'any byte in either direction';
export const PACKET = 'any packet, those of TCP keepalive too';
export const NOTHING = 'nothing';
export const GONE = '1006: TCP is closed without a close frame';
