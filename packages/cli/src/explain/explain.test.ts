import { HOPS, RULES } from '@holdfast/hops';
import { errors } from '@holdfast/protocol';
import { describe, expect, it } from 'vitest';
import { run } from '../program.js';
import { forTerminal, tableOf } from './markdown.js';
import { pages, topics } from './topics.js';

async function explained(...argv: string[]): Promise<{ code: number; out: string; error: string }> {
  let out = '';
  let error = '';
  const code = await run(['explain', ...argv], {}, { out: (text) => (out += text), error: (text) => (error += text) });
  return { code, out, error };
}

describe('holdfast explain', () => {
  it('lists every hop, rule, error and key without a topic', async () => {
    const { code, out } = await explained();
    expect(code).toBe(0);
    const words = new Set(out.split(/\s+/));
    const wanted = [
      ...Object.keys(HOPS),
      ...RULES.map(({ id }) => id),
      ...Object.values(errors).map((kind) => kind.code),
    ];
    expect(wanted.filter((word) => !words.has(word))).toEqual([]);
    expect(words).toContain('keepalive.ping');
    for (const line of out.split('\n')) expect(line.length).toBeLessThanOrEqual(120);
  });

  it.each([
    ['ingress-nginx', /worker-shutdown-timeout/],
    ['Heroku', /idle-each-direction/],
    ['clocks', /proxy_send_timeout runs only while/],
    ['proxy_send_timeout', /silence does not start it/],
    ['proxy_read_timeout', /any byte in either direction/],
    ['lifetime', /Nothing resets it/],
    ['budget', /ping \+ round trip \(p99\) \+ 1 s < limit/],
    ['NGX008', /two|twice/i],
    ['1006', /the connection was cut/],
    ['1012', /resume/],
    ['HF_SILENT', /deadMs/],
    ['silent', /deadMs/],
    ['drain.deadline', /Default: 25s/],
    ['close-codes', /4503/],
  ])('tells of %s', async (topic, told) => {
    const { code, out } = await explained(topic);
    expect(code).toBe(0);
    expect(out).toMatch(told);
    expect(out).not.toMatch(/<!--|^\| ---/m);
  });

  it('prints the schema as it is', async () => {
    const { out } = await explained('schema');
    expect(JSON.parse(out)).toHaveProperty('title', 'holdfast.yaml');
  });

  it('guesses what was meant, and exits with 2', async () => {
    expect(await explained('herok')).toMatchObject({
      code: 2,
      error: expect.stringMatching(/did you mean heroku\?/) as string,
    });
    expect(await explained('qqqqqqqq')).toMatchObject({
      code: 2,
      error: expect.stringMatching(/lists them/) as string,
    });
  });

  it('tells of both where a word has two meanings', async () => {
    const { out } = await explained('connect');
    expect(out).toMatch(/Ends the attempt to reach/);
    expect(out).toMatch(/Limits of connecting/);
  });

  it('has one topic for each name of a group, and a page for every hop and rule', () => {
    const names = topics().map(({ group, names: [name] }) => `${group} ${name}`);
    expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
    const paths = [...pages().keys()];
    for (const kind of Object.keys(HOPS)) expect(paths).toContain(`docs/hops/${kind}.md`);
    for (const { id } of RULES) expect(paths).toContain(`docs/rules/${id}.md`);
  });
});

describe('a page for the terminal', () => {
  it('has its tables in columns, and those of many columns as paragraphs', () => {
    expect(
      forTerminal(
        tableOf(
          ['a', 'b'],
          [
            ['`one`', 'x | y'],
            ['[two](two.md)', ''],
          ],
        ),
      ),
    ).toBe('  a    b\n  one  x | y\n  two');
    const wide = forTerminal(tableOf(['a', 'b', 'c', 'd', 'e', 'f'], [['1', '2', '3', '4', '5', '6']]));
    expect(wide.split('\n')).toEqual(['  1', '    b  2', '    c  3', '    d  4', '    e  5', '    f  6']);
  });
});
