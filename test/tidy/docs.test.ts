import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as hops from '@holdfast/hops';
import * as protocol from '@holdfast/protocol';
import { decode, encode, FRAME_RULES, isFault, mayCarry, type Phase, type Sender } from '@holdfast/protocol';
import { describe, expect, it } from 'vitest';
import * as explain from '../../packages/cli/src/explain/topics.js';
import { documents, protocolParts, withParts } from '../../scripts/docs.mjs';
import { withExamples } from '../../scripts/rule-docs.mjs';
import { root } from './tree.js';

const read = (path: string): string => readFileSync(join(root, path), 'utf8');

describe('the documentation', () => {
  const examples = hops.readExamples(hops.disk, join(root, 'packages/hops/src/lint/fixtures'));
  const pages = withExamples(documents(protocol, explain, read), hops, examples);

  it.each([...pages])('says in %s what the code says', (path, text) => {
    expect(read(path), 'run node scripts/generate-docs.mjs').toBe(text);
  });

  it('has no page of a rule that is gone', () => {
    const written = readdirSync(join(root, 'docs/rules')).map((name) => `docs/rules/${name}`);
    expect(written.filter((path) => !pages.has(path))).toEqual([]);
  });

  it('names every error and every close code, and no other', () => {
    const codes = Object.values(protocol.errors).map(({ code }) => code);
    const named = (path: string, pattern: RegExp): Set<string> => new Set(read(path).match(pattern));
    expect(named('docs/errors.md', /\bHF_[A-Z_]+\b/g)).toEqual(new Set<string>(codes));
    // What others close with, and what is only ever reported, is what people look for first.
    const ofOthers = [1001, 1005, 1006, 1015];
    const numbers = [...Object.values(protocol.CLOSE), ...protocol.VERDICTS.keys(), ...ofOthers].map(String);
    expect(named('docs/close-codes.md', /(?<=^\| `)\d{4}(?=`)/gm)).toEqual(new Set(numbers));
  });

  it('cannot lose a generated part unnoticed', () => {
    const parts = protocolParts(protocol, explain.closeTable());
    expect(() => withParts(read('PROTOCOL.md').replace('<!-- generated: frames -->', ''), parts)).toThrow('frames');
  });

  it('has a row for every frame in PROTOCOL.md', () => {
    const described =
      read('PROTOCOL.md')
        .match(/^\| `([a-z]+)[^|]*\| (?!.*yes)/gm)
        ?.join('\n') ?? '';
    for (const type of Object.keys(FRAME_RULES)) {
      const isBody = ['hello', 'resume', 'welcome', 'resumed'].includes(type);
      expect(isBody ? read('PROTOCOL.md') : described).toContain(
        isBody ? `\n\`${type}\`\n\n| member |` : `| \`${type}`,
      );
    }
  });
});

interface Said {
  readonly sender: Sender;
  readonly text: string;
  /** The first of its transport. */
  readonly isFirst: boolean;
}

/** What is said in a transcript: `C:` or `S:` and a header, and indented lines that are the payload. */
function saidIn(transcript: string): Said[] {
  const said: Said[] = [];
  let isFirst = true;
  for (const line of transcript.trimEnd().split('\n')) {
    const last = said.at(-1);
    if (line.startsWith('-- ')) isFirst = true;
    else if (line.startsWith('   ') && last) {
      const glue = last.text.endsWith('\n') ? '' : '\n';
      said[said.length - 1] = { ...last, text: `${last.text}${glue}${line.slice(3)}` };
    } else {
      const sender = line.startsWith('C: ') ? 'client' : 'server';
      expect(line).toMatch(/^[CS]: \S/);
      said.push({ sender, text: `${line.slice(3)}\n`, isFirst });
      isFirst = false;
    }
  }
  return said;
}

describe('the transcripts in PROTOCOL.md', () => {
  const transcripts = Array.from(
    read('PROTOCOL.md').matchAll(/^```transcript\n([^]*?)^```/gm),
    (match) => match[1] ?? '',
  );

  it('are there', () => expect(transcripts.length).toBeGreaterThanOrEqual(5));

  it.each(transcripts.map((transcript, i) => [i + 1, transcript] as const))(
    'hold to the protocol: %i',
    (_, transcript) => {
      let phase: Phase = 'open';
      for (const { sender, text, isFirst } of saidIn(transcript)) {
        if (isFirst) phase = 'open';
        const frame = decode(text, false);
        if (isFault(frame)) throw new Error(`${frame.fault.code} ${frame.detail}: ${text}`);
        // A body shows every member that means something, and no other; all else is spelled in its one way.
        if ('body' in frame) expect(JSON.parse(text.slice(text.indexOf('\n')))).toEqual(frame.body);
        else expect(encode(frame).data).toBe(text);
        expect(mayCarry(phase, frame.type, sender), `${sender} says ${frame.type} in ${phase}`).toBe(true);
        phase = FRAME_RULES[frame.type].to ?? phase;
      }
    },
  );
});
