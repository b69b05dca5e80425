import { silenceOf, speakDuration, type Verdict } from '@holdfast/policy';
import { chainOf, type Judged } from './judged.js';

/** The picture of a budget: each clock a bar on a logarithmic scale, from the client to the pod, ping and drain across them. */

const WIDTH = 1_000;
const ROW = 24;
/** Where the bars begin and end. */
const LEFT = 350;
const RIGHT = 830;
const HEAD = 84;
const FOOT = 26;

const TICKS_MS = [1_000, 10_000, 60_000, 600_000, 3_600_000, 86_400_000, 604_800_000];
const FROM_MS = 500;
const TO_MS = 1_500_000_000;

const STYLE = `
  svg { color-scheme: light dark; --back: #ffffff; --text: #1f2328; --faint: #59636e; --line: #d1d9e0;
    --ok: #2da44e; --info: #6e7781; --warning: #bf8700; --error: #cf222e; --ping: #0969da; --drain: #8250df; }
  @media (prefers-color-scheme: dark) { svg { --back: #0d1117; --text: #f0f6fc; --faint: #9198a1; --line: #3d444d;
    --ok: #3fb950; --info: #9198a1; --warning: #d29922; --error: #f85149; --ping: #4493f8; --drain: #ab7df8; } }
  text { font: 12px ui-sans-serif, system-ui, sans-serif; fill: var(--text); }
  .title { font-size: 15px; font-weight: 600; } .hop { font-weight: 600; } .faint { fill: var(--faint); }
  .tick { stroke: var(--line); } .back { fill: var(--back); }
  .ping { stroke: var(--ping); fill: var(--ping); } .drain { stroke: var(--drain); fill: var(--drain); }
  .mark { stroke: var(--text); stroke-width: 2; }
  .none { fill-opacity: 0.15; stroke-dasharray: 3 3; }
  ${(['ok', 'info', 'warning', 'error'] as const).map((level) => `.${level} { fill: var(--${level}); stroke: var(--${level}); }`).join(' ')}
  text.ok, text.info, text.warning, text.error, text.ping, text.drain { stroke: none; }`;

const escape = (text: string): string => text.replace(/[&<>"]/g, (letter) => `&#${letter.charCodeAt(0)};`);

/** What is too long for its column ends in an ellipsis; the whole is in the title of the row. */
const short = (text: string, length: number): string =>
  text.length <= length ? text : `${text.slice(0, length - 1)}…`;

const round = (value: number): number => Math.round(value * 10) / 10;

/** Where a time stands; whatever is shorter or longer than the scale stands at its ends. */
function at(ms: number): number {
  const share = Math.log(Math.min(Math.max(ms, FROM_MS), TO_MS) / FROM_MS) / Math.log(TO_MS / FROM_MS);
  return round(LEFT + share * (RIGHT - LEFT));
}

/** One picture for all environments, one below the other. */
export function budgetSvg(judged: readonly Judged[]): string {
  let top = 0;
  const panels = judged.map((one) => {
    const drawn = panel(one, top);
    top += HEAD + one.verdicts.length * ROW + FOOT;
    return drawn;
  });
  const names = judged.map(({ environment }) => environment.name).join(', ');
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${top}" width="${WIDTH}" height="${top}" role="img" aria-label="Timeout budget of ${escape(names)}">
<style>${STYLE}
</style>
<rect class="back" width="${WIDTH}" height="${top}"/>
${panels.join('\n')}
</svg>
`;
}

function panel({ environment, verdicts }: Judged, top: number): string {
  const bottom = top + HEAD + verdicts.length * ROW;
  const silence = silenceOf(environment);
  const across = [
    line('ping', silence.ms, top, bottom, silence.what),
    line('drain', environment.drain.deadlineMs, top, bottom, 'drain', 14),
  ];
  const rows = verdicts.map((verdict, i) => row(verdict, top + HEAD + i * ROW, verdicts[i - 1]?.hop));
  return [
    `<text class="title" x="16" y="${top + 24}">${escape(`${environment.name} (${environment.preset})`)}</text>`,
    `<text class="faint" x="16" y="${top + 42}">${escape(short(chainOf(environment).join(' → '), 150))}</text>`,
    ...TICKS_MS.map((ms) => tick(ms, top, bottom)),
    ...rows,
    ...across,
  ].join('\n');
}

const tick = (ms: number, top: number, bottom: number): string =>
  `<line class="tick" x1="${at(ms)}" x2="${at(ms)}" y1="${top + HEAD - 6}" y2="${bottom}"/>` +
  `<text class="faint" text-anchor="middle" x="${at(ms)}" y="${bottom + 16}">${speakDuration(ms)}</text>`;

const line = (name: string, ms: number, top: number, bottom: number, what: string, lower = 0): string =>
  `<line class="${name}" stroke-dasharray="5 3" x1="${at(ms)}" x2="${at(ms)}" y1="${top + HEAD - 10}" y2="${bottom}"/>` +
  `<text class="${name}" text-anchor="middle" x="${at(ms)}" y="${top + HEAD - 28 + lower}">${escape(`${what} ${speakDuration(ms)}`)}</text>`;

function row(verdict: Verdict, y: number, hopBefore: string | undefined): string {
  const { hop, clock, level, limitMs, oursMs, what, message } = verdict;
  const middle = y + 16;
  const end = limitMs === undefined ? RIGHT : at(limitMs);
  const ours =
    oursMs === undefined
      ? ''
      : `<line class="mark" x1="${at(oursMs)}" x2="${at(oursMs)}" y1="${y + 4}" y2="${y + 20}"/>`;
  const limit = limitMs === undefined ? 'no limit' : speakDuration(limitMs);
  const told = `${hop}, ${clock}: ${message} (${what}${oursMs === undefined ? '' : ` ${speakDuration(oursMs)}`}, limit ${limit})`;
  return `<g><title>${escape(told)}</title>
<text class="hop" x="16" y="${middle}">${hop === hopBefore ? '' : escape(short(hop, 18))}</text><text x="140" y="${middle}">${escape(short(clock, 29))}</text>
<rect class="${level}${limitMs === undefined ? ' none' : ''}" x="${LEFT}" y="${y + 7}" width="${round(Math.max(1, end - LEFT))}" height="10" rx="2"/>${ours}
<text x="${RIGHT + 16}" y="${middle}">${limit}</text><text class="${level}" x="${RIGHT + 90}" y="${middle}">${level}</text></g>`;
}
