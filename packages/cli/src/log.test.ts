import { describe, expect, it } from 'vitest';
import { Log, type LogOptions } from './log.js';

function logging(options: Partial<LogOptions> = {}): { log: Log; lines: string[] } {
  const lines: string[] = [];
  const now = (): Date => new Date(2026, 0, 2, 3, 4, 5);
  const defaults = { json: false, quiet: false, colour: false, now, write: (line: string) => void lines.push(line) };
  return { log: new Log({ ...defaults, ...options }), lines };
}

describe('the log for people', () => {
  it('has the time and the message, the level where it is not info, and who writes', () => {
    const { log, lines } = logging({ pod: 'pod-1' });
    log.info('a.b', 'it goes');
    log.warn('a.c', 'it stutters');
    expect(lines).toEqual(['03:04:05 pod-1: it goes\n', '03:04:05 warn: pod-1: it stutters\n']);
  });

  it('shows the stack of an error, and of its cause', () => {
    const { log, lines } = logging();
    log.error('a', 'it broke', new Error('outer', { cause: new Error('inner') }));
    expect(lines[0]).toMatch(/^03:04:05 error: it broke\n {2}Error: outer\n[^]*\n {2}caused by Error: inner\n/);
  });

  it('leaves out what is neither warning nor error when it is quiet', () => {
    const { log, lines } = logging({ quiet: true });
    log.info('a', 'it goes');
    log.warn('b', 'it stutters');
    log.error('c', 'it broke');
    expect(lines).toHaveLength(2);
  });
});

describe('the log for programs', () => {
  it('is one object a line, with the fields beside the message', () => {
    const { log, lines } = logging({ json: true, pod: 'pod-1' });
    log.info('worker.ready', 'worker 2 serves', { index: 2 });
    log.error('worker.failed', 'it broke', new Error('two\nlines'));
    expect(lines.map((line) => line.match(/\n/g)?.length)).toEqual([1, 1]);
    const [ready, failed] = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(ready).toEqual({
      time: new Date(2026, 0, 2, 3, 4, 5).toISOString(),
      level: 'info',
      event: 'worker.ready',
      message: 'worker 2 serves',
      pod: 'pod-1',
      index: 2,
    });
    expect(failed).toMatchObject({ level: 'error', event: 'worker.failed' });
    expect(failed?.['stack']).toContain('two\nlines');
  });
});
