import { CLOSE } from '@holdfast/protocol';
import type { Dial, WebSocketConstructor } from './transport.js';

/** Transports over a WHATWG WebSocket: the browser's, or any other that behaves like it. */
export const webDial =
  (Constructor: WebSocketConstructor): Dial =>
  (url, protocols, listener) => {
    const socket = new Constructor(url, protocols);
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => listener.opened();
    socket.onmessage = ({ data }: MessageEvent<string | ArrayBuffer>) =>
      typeof data === 'string' ? listener.received(data, false) : listener.received(new Uint8Array(data), true);
    socket.onclose = ({ code, reason }: CloseEvent) => listener.lost(code, reason);
    // The close that follows says all that there is to know. Some implementations throw where nobody listens.
    socket.onerror = () => undefined;

    const close = (code: number, reason: string): void => {
      if (code === 1005) socket.close();
      // The other codes are not a page's to send.
      else socket.close(code === 1000 || code >= 3000 ? code : CLOSE.protocol, reason);
    };
    return {
      get protocol() {
        return socket.protocol;
      },
      get extensions() {
        return socket.extensions;
      },
      get bufferedAmount() {
        return socket.bufferedAmount;
      },
      send: (data) => socket.send(data as string | Uint8Array<ArrayBuffer>),
      close,
      abandon(code, reason) {
        socket.onopen = socket.onmessage = socket.onclose = null;
        close(code, reason);
      },
    };
  };
