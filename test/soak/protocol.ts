import type { DeliveryReport } from '@holdfast/testing';

/** What a process of clients is told to be. */
export interface ClientSettings {
  readonly port: number;
  readonly clients: number;
  /** The number of the first of them. */
  readonly first: number;
  readonly seed: number;
  readonly messagesPerSecond: number;
  /** How often each client's network is cut, about; 0 for never. */
  readonly cutMs: number;
  /** How long it stays cut, about. */
  readonly offlineMs: number;
}

/** To a process of clients. */
export type ClientOrder =
  | { readonly type: 'begin'; readonly settings: ClientSettings }
  | { readonly type: 'talk' }
  /** No more cuts. */
  | { readonly type: 'calm' }
  /** No more messages. */
  | { readonly type: 'hush' }
  /** Judge, with so many news published. */
  | { readonly type: 'finish'; readonly news: number };

export interface Counts {
  /** Gaps that clients were told of. */
  readonly gaps: number;
  /** Clients that saw a close. */
  readonly closes: number;
  readonly recoveries: number;
  /** Clients that attached elsewhere before they let go, and saw nothing else. */
  readonly moves: number;
  readonly cuts: number;
  /** Sends that the client refused, its buffer being full. They were never sent. */
  readonly refusedSends: number;
}

/** In milliseconds. */
export interface Samples {
  /** From the loss of the transport until all that was missed is there. */
  readonly awayMs: number[];
  /** The same, from when the network is back. */
  readonly recoveryMs: number[];
  /** From the attach until all that was missed is there. */
  readonly replayMs: number[];
  /** When connections were begun, the first of each client included; on the clock of the machine. */
  readonly dialledAtMs: number[];
}

export interface ClientsReport extends DeliveryReport, Counts {
  /** Messages that were delivered from the log behind an attach. */
  readonly replayed: number;
}

/** From a process of clients. */
export type ClientNews =
  | { readonly type: 'connected' }
  | { readonly type: 'note'; readonly text: string }
  | ({ readonly type: 'progress'; readonly sent: number; readonly received: number; readonly away: number } & Counts)
  | {
      readonly type: 'finished';
      readonly report: ClientsReport;
      readonly samples: Samples & { readonly transportlessMs: number[] };
    };
