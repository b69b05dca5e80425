import { join } from 'node:path';
import { disk, type Example, parseNginx, readExamples, Source } from '@holdfast/hops';
import { announceSeed, randomSeed, seededRandom } from '@holdfast/testing';
import { afterAll, describe, expect, it } from 'vitest';
import { nginxDirectory, whole } from './nginx-check.fixture.js';

const nginx = nginxDirectory();
afterAll(() => nginx[Symbol.dispose]());

const examples = readExamples(disk, join(import.meta.dirname, '../packages/hops/src/lint/fixtures'));
const textOf = ({ texts }: Example): string => Object.values(texts)[0] ?? '';

/** Those that nginx refuses, and what it says; the rules say that it does. */
const REFUSED: Readonly<Record<string, RegExp>> = {
  'NGX006-fires.conf': /unknown "connection_upgrade" variable/,
  'NGX012-fires.conf': /"proxy_set_header" directive is not allowed here/,
};

describe('nginx itself', () => {
  // Those with TLS need a certificate, and names of a cluster somebody who knows them.
  const judged = examples.filter(
    (example) => /^NGX.*\.conf$/.test(example.name) && !/ ssl|\.svc\.|--nginx-version/.test(textOf(example)),
  );

  it.each(judged.map((example) => [example.name, example] as const))(
    'takes or refuses %s as the rule says',
    (name, example) => {
      const { isAccepted, says } = nginx.check(whole(textOf(example)));
      const refusal = REFUSED[name];
      expect(isAccepted, says).toBe(refusal === undefined);
      if (refusal) expect(says).toMatch(refusal);
    },
  );

  it('warns that a method which comes behind keepalive takes its place (NGX021)', () => {
    const example = examples.find(({ name }) => name === 'NGX021-fires.conf') as Example;
    expect(nginx.check(whole(textOf(example))).says).toContain('load balancing method redefined');
  });

  it('finds the same mistakes of syntax as the parser, one random change at a time', () => {
    const seed = randomSeed();
    announceSeed('lint.nginx', seed, { command: 'npx vitest run --project e2e test/lint.nginx.test.ts' });
    const random = seededRandom(seed);
    const base = whole(
      "map $http_upgrade $c { default \"up;}\"; '' ''; }\nserver { listen 127.0.0.1:1; # a { comment ;\n" +
        ' location ~ "^/a{1,2}$" { set $x a\\;b; return 200 "x\\"y"; }\n if ($x = "b") { return 204; } }\n',
    );
    const seen = { accepted: 0, refused: 0 };
    for (let run = 0; run < 120; run++) {
      const at = random.int(0, base.length);
      const piece = random.pick(['', '', '{', '}', ';', '"', "'", '\\', '#', ' ', '\n', 'x', '$']);
      const text = base.slice(0, at) + piece + base.slice(at + random.int(0, 1));
      const { isAccepted, says } = nginx.check(text);
      const problems = parseNginx(new Source('nginx.conf', text)).problems.map(({ message }) => message);
      if (isAccepted) {
        seen.accepted++;
        expect(problems, text).toEqual([]);
      } else if (/unexpected|is not terminated by|has no opening/.test(says) && !/ in condition/.test(says)) {
        seen.refused++;
        expect(problems, `${says}\n${text}`).not.toEqual([]);
      }
    }
    expect(seen.accepted).toBeGreaterThan(0);
    expect(seen.refused).toBeGreaterThan(0);
  });
});
