import { describe, expect, it } from 'vitest';
import { Source } from '../source.js';
import { effectiveLine, effectiveOption, haproxyMs, parseHaproxy } from './parser.js';

const parse = (text: string): ReturnType<typeof parseHaproxy> => parseHaproxy(new Source('haproxy.cfg', text));
const section = (config: ReturnType<typeof parseHaproxy>, name: string) => {
  const found = config.sections.find((each) => each.name === name);
  if (found === undefined) throw new Error(name);
  return found;
};

describe('the parser of HAProxy', () => {
  it('reads sections, comments, quotes and escapes', () => {
    const text = 'global # c\n  log "a b"#c\nbackend x\n\tserver s\\ 1 \'1"2\'3:80 "q\\"r"\n';
    const config = parse(text);
    expect(config.sections.map(({ kind, name }) => `${kind} ${name}`)).toEqual(['global ', 'backend x']);
    const words = config.sections.flatMap(({ lines }) => lines.map((line) => line.words.map((word) => word.text)));
    expect(words).toEqual([
      ['log', 'a b'],
      ['server', 's 1', '1"23:80', 'q"r'],
    ]);
    expect(config.problems).toEqual([]);
    const [first] = config.sections[0]?.lines ?? [];
    expect(text.slice(first?.start, first?.end)).toBe('log "a b"');
  });

  it('inherits from the defaults before, or from those that are named', () => {
    const config = parse(
      'defaults a\n timeout tunnel 1h\n option x\nbackend one\nbackend two\n timeout tunnel 2h\n no option x\n' +
        'defaults b from a\n timeout server 1s\nbackend three\nbackend four from a\ndefaults\nbackend five\n',
    );
    const tunnel = (name: string): string | undefined =>
      effectiveLine(section(config, name), 'timeout', 'tunnel')?.words[2]?.text;
    expect(['one', 'two', 'three', 'four', 'five'].map(tunnel)).toEqual(['1h', '2h', '1h', '1h', undefined]);
    expect(effectiveOption(section(config, 'one'), 'x')).toBeDefined();
    expect(effectiveOption(section(config, 'two'), 'x')).toBeUndefined();
    expect(effectiveLine(section(config, 'three'), 'timeout', 'server')?.words[2]?.text).toBe('1s');
    expect(effectiveLine(section(config, 'four'), 'timeout', 'server')).toBeUndefined();
  });

  it('tells what is wrong, and goes on', () => {
    const { problems, sections } = parse('timeout x\nbackend a from none\n server "b\nbackend c\n');
    expect(problems.map(({ message }) => message)).toEqual([
      "'timeout' stands before any section",
      "there is no defaults section 'none' before this",
      'this quote is not closed on its line',
    ]);
    expect(sections.length).toBe(2);
  });

  it('reads times, which are milliseconds without a unit', () => {
    expect(['5000', '30s', '1h', '10us', 'soon'].map(haproxyMs)).toEqual([5000, 30_000, 3_600_000, 0.01, undefined]);
  });
});
