import {
  effectiveLine,
  haproxyMs,
  type HaproxyConfig,
  type HaproxyLine,
  type HaproxySection,
  linesIn,
} from '../../haproxy/parser.js';
import { type LintContext, webSocketPaths } from '../context.js';
import { looksLikeWebSocket } from '../paths.js';
import type { Place } from '../rule.js';

/** What the rules of HAProxy ask about one configuration, found once. */
export interface HaproxyUnit {
  readonly config: HaproxyConfig;
  readonly global: HaproxySection | undefined;
  /** Backends and listens that WebSockets go to. */
  readonly webSockets: readonly WebSocketBackend[];
}

export interface WebSocketBackend {
  readonly section: HaproxySection;
  /** The frontends that lead to it; a `listen` is its own. */
  readonly frontends: readonly HaproxySection[];
}

export const placeOf = ({ source, start }: HaproxyLine): Place => ({ source, offset: start });

export const wordsOf = ({ words }: HaproxyLine): string[] => words.map(({ text }) => text);

export function unitOf(config: HaproxyConfig, context: LintContext): HaproxyUnit {
  const paths = webSocketPaths(context);
  const { sections } = config;
  const frontends = sections.filter(({ kind }) => kind === 'frontend' || kind === 'listen');
  const leads = frontends.map((section) => ({ section, ...leadsTo(section, paths) }));
  const leadsBy = new Map<string, HaproxySection[]>();
  for (const { section, all } of leads) {
    for (const name of new Set(all)) leadsBy.set(name, [...(leadsBy.get(name) ?? []), section]);
  }
  const shows = new Set(leads.filter((lead) => lead.shows).map((lead) => lead.section));
  const named = new Set(leads.flatMap(({ webSockets }) => webSockets));
  const webSockets: WebSocketBackend[] = [];
  for (const section of sections) {
    if (section.kind !== 'backend' && section.kind !== 'listen') continue;
    if (effectiveLine(section, 'mode')?.words[1]?.text === 'tcp') continue;
    const isOwn = section.kind === 'listen' && shows.has(section);
    if (!isOwn && !named.has(section.name) && !showsItself(section)) continue;
    const from = leadsBy.get(section.name) ?? [];
    webSockets.push({ section, frontends: section.kind === 'listen' ? [section] : from });
  }
  return { config, global: sections.find(({ kind }) => kind === 'global'), webSockets };
}

/** By its name, a tunnel timeout of its own, or what it says about WebSockets to its servers. */
function showsItself(section: HaproxySection): boolean {
  const tunnel = linesIn(section, 'timeout', 'tunnel').at(-1);
  if (looksLikeWebSocket(section.name.replaceAll('_', '-')) || (tunnel && haproxyMs(tunnel.words[2]?.text) !== 0))
    return true;
  return [...linesIn(section, 'server'), ...linesIn(section, 'default-server')].some((line) =>
    wordsOf(line).includes('ws'),
  );
}

const UPGRADE = /hdr(?:_[a-z]+)?\((?:upgrade|connection|sec-websocket-[a-z]+)\b/i;

/** Whether a condition or its definition speaks of WebSockets. */
function speaks(words: readonly string[], paths: readonly string[]): boolean {
  return words.some(
    (word) =>
      UPGRADE.test(word) ||
      (word.startsWith('/') && (looksLikeWebSocket(word) || paths.some((path) => path.startsWith(word)))),
  );
}

/** The backends that a frontend uses, and those of them that it uses for WebSockets. */
function leadsTo(
  section: HaproxySection,
  paths: readonly string[],
): { all: string[]; webSockets: string[]; shows: boolean } {
  const acls = new Set(
    linesIn(section, 'acl')
      .map(wordsOf)
      .filter((words) => speaks(words.slice(2), paths))
      .map((words) => words[1] ?? ''),
  );
  const isMeant = (words: readonly string[]): boolean =>
    words.some((word, index) => acls.has(word) && words[index - 1] !== '!') || speaks(words, paths);
  const uses = linesIn(section, 'use_backend').map(wordsOf);
  const meant = uses.filter((words) => words[2] !== 'unless' && isMeant(words.slice(2))).map((words) => words[1] ?? '');
  const byDefault = linesIn(section, 'default_backend').map((line) => line.words[1]?.text ?? '');
  const isDefault = meant.length === 0 && (acls.size > 0 || paths.length > 0);
  return {
    all: [...uses.map((words) => words[1] ?? ''), ...byDefault],
    webSockets: [...meant, ...(isDefault ? byDefault : [])],
    shows: acls.size > 0 || paths.length > 0 || looksLikeWebSocket(section.name.replaceAll('_', '-')),
  };
}
