import { CLOSE, closeCodeOf, errors, type ErrorKind, VERDICTS, type Verdict } from '@holdfast/protocol';
import { code, GENERATED, list, paragraphs, tableOf } from './markdown.js';

/** What a code means where no error of ours says it. */
const MEANINGS: Readonly<Record<number, string>> = {
  1000: 'The transport is not needed any more: its session has ended, or goes on elsewhere.',
  1001: 'Somebody on the way goes away: a page is left, Caddy reloads its configuration, Cloudflare restarts a server of its edge.',
  1002: 'Somebody on the way has broken RFC 6455.',
  1003: 'Somebody on the way does not take this kind of data.',
  1005: 'A close frame without a code came. It is never sent.',
  1006: 'No close frame came: the connection was cut. It is never sent, only reported, and says nothing of the cause: the idle limit of a proxy, its reload, a killed process and a lost network all look like it.',
  1007: 'Text was no UTF-8.',
  1008: 'Somebody on the way refuses the connection by its policy.',
  1010: 'An extension was missing.',
  1012: 'The pod restarts, or a stream began anew.',
  1015: 'TLS could not be agreed on. It is never sent; browsers report 1006 instead.',
  4507: 'The client carries the session over another transport now.',
};

export interface CloseCode {
  readonly number: number;
  readonly verdict: Verdict;
  readonly what: readonly string[];
  readonly carried: readonly ErrorKind[];
}

const sorted = (): ErrorKind[] => Object.values(errors).sort((a, b) => (a.code < b.code ? -1 : 1));

/** The codes that mean something, lowest first, with the errors that each carries. */
export function closeCodes(): CloseCode[] {
  const kinds = sorted().filter((kind) => kind.closeCode !== undefined);
  const known = [...Object.values(CLOSE), ...VERDICTS.keys(), ...Object.keys(MEANINGS).map(Number)];
  const codes = [...new Set(known)].sort((a, b) => a - b);
  return codes.map((number) => {
    const carried = kinds.filter((kind) => closeCodeOf(kind) === number);
    const own = MEANINGS[number] ?? (number === CLOSE.protocol ? 'A frame was wrong.' : undefined);
    const what = [...(own === undefined ? [] : [own]), ...carried.map((kind) => kind.what)];
    if (what.length === 0) throw new Error(`nothing says what the close code ${number} means`);
    return { number, verdict: VERDICTS.get(number) ?? 'resume', what, carried };
  });
}

export const closeTable = (): string =>
  tableOf(
    ['code', 'verdict', 'meaning'],
    closeCodes().map(({ number, verdict, what }) => [code(number), verdict, what.join(' ')]),
  );

const VERDICT_WORDS: Readonly<Record<Verdict, string>> = {
  resume: 'attach again at once, with backoff from the first attempt on',
  later:
    'attach again after the time that the reason names (`retry=MILLISECONDS`), or a quarter of the longest backoff',
  anew: 'the session is over, a new one can be opened; the application hears it as `close`',
  never: 'trying again cannot help; the application hears it as `close`',
};

export const closeCodesPage = (): string =>
  paragraphs(
    '# Close codes',
    GENERATED,
    'What a client of holdfast does when a transport closes is its *verdict*:',
    list(Object.entries(VERDICT_WORDS).map(([verdict, words]) => `**${verdict}**: ${words}`)),
    `A code that is not in the table is a lost network, and is resumed. The codes of an application (\`close(code)\`, 3000 to 4499) travel
in a \`bye\` and are heard by the application at the other end; they never close a transport.`,
    tableOf(
      ['code', 'verdict', 'meaning', 'errors'],
      closeCodes().map(({ number, verdict, what, carried }) => [
        code(number),
        verdict,
        what.join(' '),
        carried.map((kind) => code(kind.code)).join(', '),
      ]),
    ),
  );

export const closeCodePage = ({ number, verdict, what, carried }: CloseCode): string =>
  paragraphs(
    `# Close code ${number}`,
    what.join(' '),
    `The verdict of a client of holdfast is **${verdict}**: ${VERDICT_WORDS[verdict]}.`,
    carried.length === 0 ? undefined : list(carried.map((kind) => `${code(kind.code)}: ${kind.what} ${kind.fix}`)),
  );

const SIDES = [
  ['caller', 'Yours', 'The program that uses holdfast has to change something.'],
  [
    'peer',
    "The peer's",
    'The other end has broken the protocol, or has decided. Trying again by itself does not help.',
  ],
  [
    'environment',
    'Nobody’s',
    'The network, a proxy, the store or an operator. Trying again can help, and holdfast does.',
  ],
] as const;

export const errorsPage = (): string =>
  paragraphs(
    '# Errors',
    GENERATED,
    `Every error of holdfast has a code that never changes. A \`HoldfastError\` carries it as \`code\`, with \`side\` (whose it is),
\`retryable\`, \`fix\` and, where something lies beneath, \`cause\`; the reason of a close frame begins with it. An error without a
close code of its own that is found in a frame closes the transport with \`4500\`.`,
    ...SIDES.map(([side, title, what]) => {
      const kinds = sorted().filter((kind) => kind.side === side);
      const rows = kinds.map((kind) => [code(kind.code), kind.what, kind.fix, closesWith(kind)]);
      return `## ${title}\n\n${what}\n\n${tableOf(['code', 'what happened', 'what to do', 'closes with'], rows)}`;
    }),
  );

const closesWith = (kind: ErrorKind): string => (kind.closeCode === undefined ? '' : code(closeCodeOf(kind)));

export const errorKinds = sorted;

export const errorPage = (kind: ErrorKind): string =>
  paragraphs(
    `# ${kind.code}`,
    kind.what,
    `What to do: ${kind.fix}`,
    `It is ${{ caller: 'yours: the program that uses holdfast has to change something', peer: "the peer's: trying again by itself does not help", environment: 'that of what is around: trying again can help, and what runs already does so by itself' }[kind.side]}.`,
    kind.closeCode === undefined ? undefined : `It closes the transport with ${closesWith(kind)}.`,
  );
