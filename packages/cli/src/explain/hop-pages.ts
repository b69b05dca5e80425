import { HOPS } from '@holdfast/hops';
import {
  BUDGET_RULES,
  type Clock,
  type Evidence,
  formatDuration,
  type Hop,
  HOP_KINDS,
  type ClockKind,
} from '@holdfast/policy';
import { code, GENERATED, list, paragraphs, tableOf } from './markdown.js';

const KNOWN: Readonly<Record<Evidence, string>> = {
  source: 'read in its source',
  measured: 'measured',
  documentation: 'documented',
  incident: 'reported incidents',
  secondhand: 'second hand',
  unverified: 'not verified',
};

const KINDS: Readonly<Record<ClockKind, string>> = {
  'idle-either':
    'Ends a connection that is silent. Bytes in either direction reset it, so the heartbeat of one side is enough.',
  'idle-each-direction': 'Ends a connection of which one direction is silent. A heartbeat must be answered.',
  lifetime: 'Ends a connection at an age. Nothing resets it; the connection has to be moved before.',
  cohort: 'Ends all connections of one process in the same instant: a reload, a deployment, a stop.',
  'silent-l4':
    'Forgets a connection that is silent, and tells nobody. Any packet resets it. Each end finds out when it asks and is not answered.',
  backpressure:
    'Ends a connection whose peer takes no bytes that wait for it. It is no idle timeout: silence does not start it.',
  connect: 'Ends the attempt to reach what lies behind, or to get its answer to the handshake.',
  affinity: 'Ends no connection. When it is over, a new connection may reach another pod.',
};

const timeOf = (ms: number | undefined): string => (ms === undefined ? 'none' : formatDuration(ms));

const limitsOf = ({ defaultMs, minMs, maxMs }: Clock): string => {
  const bounds = [
    minMs === undefined ? '' : `least ${timeOf(minMs)}`,
    maxMs === undefined ? '' : `most ${timeOf(maxMs)}`,
  ];
  const said = bounds.filter((text) => text !== '').join(', ');
  return `${timeOf(defaultMs)}${said === '' ? '' : ` (${said})`}`;
};

export const hopsPage = (): string =>
  paragraphs(
    '# Hops',
    GENERATED,
    'Whatever stands between a client and a pod and has a clock. A policy names them from the client on: `hops: [cloudflare, ingress-nginx]`.',
    tableOf(
      ['hop', 'what it is', 'clocks'],
      Object.values(HOPS).map((hop) => [
        `[${hop.kind}](${hop.kind}.md)`,
        hop.title,
        hop.clocks.map((clock) => `${clock.name} ${timeOf(clock.defaultMs)}`).join(', '),
      ]),
    ),
  );

export const hopPage = (hop: Hop): string =>
  paragraphs(
    `# ${hop.title}`,
    GENERATED,
    `In a policy: ${code(hop.kind)}. ${hop.what}`,
    tableOf(
      ['clock', 'its own name', 'kind', 'default', 'reset by', 'the client sees', 'how to change it', 'known'],
      hop.clocks.map((clock) => [
        code(clock.name),
        clock.title,
        clock.kind,
        limitsOf(clock),
        clock.resetBy,
        clock.clientSees,
        clock.raise ?? 'it cannot be',
        clock.known.map((evidence) => KNOWN[evidence]).join(', '),
      ]),
    ),
    optionsOf(hop),
    hop.notes.length === 0 ? undefined : `## Worth knowing\n\n${list(hop.notes)}`,
    `## Sources\n\n${list(hop.sources)}`,
  );

function optionsOf({ kind, clocks }: Hop): string | undefined {
  const options = Object.keys(HOP_KINDS[kind as keyof typeof HOP_KINDS].options);
  const [clock] = clocks;
  if (!clock) return undefined;
  const also = options.length === 0 ? '' : ` Further keys: ${options.map(code).join(', ')}.`;
  return `Where it is not as by default: ${code(`{kind: ${kind}, ${clock.name}: ${timeOf(clock.defaultMs ?? 60_000)}}`)}; ${code('off')} switches a clock off.${also}`;
}

/** The clocks of all hops by their vendors' names, those that have one word for a name: `proxy_read_timeout`. */
export function namedClocks(): Map<string, { readonly hop: Hop; readonly clock: Clock }[]> {
  const named = new Map<string, { readonly hop: Hop; readonly clock: Clock }[]>();
  for (const hop of Object.values(HOPS)) {
    for (const clock of hop.clocks) {
      if (!/\s/.test(clock.title)) named.set(clock.title, [...(named.get(clock.title) ?? []), { hop, clock }]);
    }
  }
  return named;
}

/** A clock by its vendor's name, at each hop that has it. */
export const clockPage = (title: string, places: readonly { readonly hop: Hop; readonly clock: Clock }[]): string =>
  paragraphs(
    `# ${title}`,
    ...new Set(places.map(({ clock }) => `Its kind is ${code(clock.kind)}. ${KINDS[clock.kind]}`)),
    tableOf(
      ['hop', 'clock', 'default', 'reset by', 'the client sees', 'how to change it', 'known'],
      places.map(({ hop, clock }) => [
        code(hop.kind),
        code(clock.name),
        limitsOf(clock),
        clock.resetBy,
        clock.clientSees,
        clock.raise ?? 'it cannot be',
        clock.known.map((evidence) => KNOWN[evidence]).join(', '),
      ]),
    ),
  );

export const clocksPage = (): string =>
  paragraphs(
    '# Clocks',
    GENERATED,
    'A hop is described by its clocks, not by one number: what resets one of them does nothing to another.',
    tableOf(
      ['kind', 'what it does'],
      Object.entries(KINDS).map(([kind, what]) => [code(kind), what]),
    ),
    'One belief about them is wrong: nginx does not end a connection because its *client* is silent while the server talks. `proxy_send_timeout` runs only while the pod takes no bytes. The idle clock of a WebSocket is `proxy_read_timeout`, and bytes in either direction reset it.',
    '## All clocks',
    tableOf(
      ['hop', 'clock', 'its own name', 'kind', 'default', 'reset by'],
      Object.values(HOPS).flatMap((hop) =>
        hop.clocks.map((clock) => [
          `[${hop.kind}](hops/${hop.kind}.md)`,
          code(clock.name),
          clock.title,
          clock.kind,
          limitsOf(clock),
          clock.resetBy,
        ]),
      ),
    ),
  );

export const budgetPage = (): string =>
  paragraphs(
    '# The timeout budget',
    GENERATED,
    '`holdfast check` compares a policy with the clocks of its hops. Each verdict names the hop, the clock, both numbers and the margin. Of several idle clocks only the shortest matters; an outer one need not be longer than an inner one, as it must for plain requests.',
    ...BUDGET_RULES.map(({ id, title, inequality, why }) => `## ${title}\n\n${code(id)}: ${inequality}\n\n${why}`),
  );
