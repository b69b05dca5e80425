export type {
  CertMeta,
  ClientOptions,
  CloseEvent,
  Data,
  ErrorEvent,
  Event,
  MessageEvent,
  PerMessageDeflateOptions,
  RawData,
  VerifyClientCallbackAsync,
  VerifyClientCallbackSync,
} from 'ws';
export { HoldfastError } from '@holdfast/protocol';
export { DEFAULT_ADMISSION, type AdmissionOptions } from './admission.js';
export { systemClock, type Clock } from './clock.js';
export type { Done } from './committer.js';
export type { SendData } from './content.js';
export type { DrainOptions, DrainReport } from './drain.js';
export type { DrainRequests } from './drain-requests.js';
export { optionsFromPolicy, type PolicyOptions } from './from-policy.js';
export type { HealthReport } from './health.js';
export { DEFAULT_KEEPALIVE, type KeepaliveOptions } from './keepalive.js';
export type { ServerOptions } from './options.js';
export { Presence, type PresenceEvents, type PresenceOptions } from './presence.js';
export { createPublisher, Publisher, type PublisherEvents, type PublisherOptions } from './publisher.js';
export type { RotationOptions } from './rotation.js';
export { WebSocketServer, type WebSocketServerEvents } from './server.js';
export type { SendOptions } from './session-socket.js';
export type { Session } from './session.js';
export type { Socket } from './socket.js';
export { createWebSocketStream } from './stream.js';
export type { HandledMessage, Handler, Tx } from './transaction.js';
export { WebSocket, WebSocket as default } from './web-socket.js';
