export type { DrainReport, Socket, WebSocketServer } from '@holdfast/server';
export type { ServeContext, ServeModule, ServePod } from './serve/module.js';
