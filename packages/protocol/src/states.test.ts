import { describe, expect, it } from 'vitest';
import { FRAME_TYPES } from './frames.fixture.js';
import { Link } from './link.js';
import { CLIENT_STATES, FRAME_RULES, mayCarry, next, phaseAfter, PHASES, SERVER_STATES } from './states.js';

type Table = Readonly<Record<string, Readonly<Record<string, string | undefined>>>>;

const reachable = (table: Table, from: string): Set<string> => {
  const seen = new Set([from]);
  for (const state of seen) for (const to of Object.values(table[state] ?? {})) if (to !== undefined) seen.add(to);
  return seen;
};

describe.each<[string, Table, string, string]>([
  ['CLIENT_STATES', CLIENT_STATES, 'connecting', 'closed'],
  ['SERVER_STATES', SERVER_STATES, 'detached', 'gone'],
])('%s', (_, table, first, last) => {
  it('leads to states that are in it', () => {
    for (const events of Object.values(table))
      for (const to of Object.values(events)) expect(Object.keys(table)).toContain(to);
  });

  it('reaches every state from the first, and the last from every one', () => {
    expect(reachable(table, first)).toEqual(new Set(Object.keys(table)));
    for (const state of Object.keys(table)) expect(reachable(table, state)).toContain(last);
  });

  it('has an end that nothing leaves', () => expect(table[last]).toEqual({}));
});

describe('next', () => {
  it('knows of no state behind an event that the table forbids', () => {
    expect(next(CLIENT_STATES, 'closed', 'close')).toBeUndefined();
    expect(next(CLIENT_STATES, 'open', 'lost')).toBe('recovering');
    expect(next(SERVER_STATES, 'detached', 'lost')).toBeUndefined();
  });
});

describe('FRAME_RULES', () => {
  it('rules every frame', () => expect(Object.keys(FRAME_RULES).sort()).toEqual([...FRAME_TYPES].sort()));

  it('leads through the phases in their order, and back only to their beginning', () => {
    for (const phase of PHASES) {
      expect([mayCarry(phase, 'again', 'server'), phaseAfter(phase, 'again')]).toEqual([true, 'open']);
      for (const type of FRAME_TYPES) {
        if (!FRAME_RULES[type].in.includes(phase) || type === 'again') continue;
        expect(PHASES.indexOf(phaseAfter(phase, type))).toBeGreaterThanOrEqual(PHASES.indexOf(phase));
      }
    }
  });

  it('lets a client say nothing before its first frame, and a server nothing before its answer', () => {
    const types = (phase: (typeof PHASES)[number], sender: 'client' | 'server') =>
      FRAME_TYPES.filter((type) => mayCarry(phase, type, sender) && type !== 'again');
    expect(types('open', 'client')).toEqual(['hello', 'resume']);
    expect(types('open', 'server')).toEqual([]);
    expect(types('greeting', 'client')).toEqual([]);
    expect(types('greeting', 'server')).toEqual(['welcome', 'resumed']);
  });

  it('lets everything that may cross a bye come after it', () => {
    for (const type of FRAME_TYPES) {
      for (const sender of ['client', 'server'] as const) {
        expect(mayCarry('leaving', type, sender), type).toBe(mayCarry('attached', type, sender));
      }
    }
  });
});

describe('Link', () => {
  it('stays in its phase when a frame must not be', () => {
    const link = new Link(1);
    expect([link.carries('m', 'client'), link.phase]).toEqual([false, 'open']);
    expect([link.carries('hello', 'client'), link.phase]).toEqual([true, 'greeting']);
    expect([link.carries('hello', 'client'), link.phase]).toEqual([false, 'greeting']);
    expect([link.carries('welcome', 'client'), link.phase]).toEqual([false, 'greeting']);
    expect([link.carries('welcome', 'server'), link.phase]).toEqual([true, 'attached']);
  });

  it('is due at the earliest of its clocks', () => {
    const link = new Link(1, 500);
    expect(link.dueMs).toBe(500);
    link.limitMs = undefined;
    expect(link.dueMs).toBe(Infinity);
  });
});
