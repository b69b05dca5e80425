import { effectiveLine, effectiveOption, type HaproxySection, linesIn } from '../../haproxy/parser.js';
import { remove } from '../edits.js';
import type { Rule } from '../rule.js';
import { type HaproxyUnit, placeOf, wordsOf } from './config.js';

export const shutdownSessions: Rule<HaproxyUnit> = {
  id: 'HAP005',
  name: 'shutdown-sessions',
  severity: 'warning',
  title: 'One failed check cuts every WebSocket of a server',
  what: '`on-marked-down shutdown-sessions` together with `fall 1`, of the server or its `default-server`, where WebSockets go. The default of `fall` is 3.',
  why: 'A single check that comes late, in a pause of the garbage collector perhaps, marks the server down, and with it all its connections are closed although they worked.',
  fix: 'Use `fall 3` or more.',
  source: 'Published configurations; HAProxy documentation of on-marked-down.',
  *check({ webSockets }) {
    for (const { section } of webSockets) {
      for (const server of linesIn(section, 'server')) {
        const words = [...defaultsOf(section), ...wordsOf(server)];
        const has = words.some((word, index) => word === 'on-marked-down' && words[index + 1] === 'shutdown-sessions');
        if (!has || words[words.lastIndexOf('fall') + 1] !== '1' || !words.includes('fall')) continue;
        yield {
          at: placeOf(server),
          message: `one failed check closes all connections of server ${words[defaultsOf(section).length + 1] ?? ''}`,
        };
      }
    }
  },
};

function defaultsOf(section: HaproxySection): string[] {
  const outer = section.defaults ? linesIn(section.defaults, 'default-server') : [];
  return [...outer, ...linesIn(section, 'default-server')].flatMap((line) => wordsOf(line).slice(1));
}

export const httpClose: Rule<HaproxyUnit> = {
  id: 'HAP007',
  name: 'httpclose',
  severity: 'warning',
  title: 'A mode that does not go with WebSockets',
  what: '`option httpclose` or `forceclose` is in effect where WebSockets pass, or a section in `mode tcp` has a `cookie` for stickiness.',
  why: '`httpclose` adds `Connection: close` to requests, a leftover of old versions that some backends take for an answer to the upgrade. In `mode tcp` nobody reads a cookie, so nothing sticks.',
  fix: 'Use `option http-server-close` or nothing, and `mode http` with a cookie.',
  source: 'HAProxy documentation of option httpclose and cookie.',
  *check({ webSockets, config }) {
    for (const { section, frontends } of webSockets) {
      for (const each of [section, ...frontends]) {
        for (const name of ['httpclose', 'forceclose']) {
          const line = effectiveOption(each, name);
          if (line) yield { at: placeOf(line), message: `option ${name} closes what is to be upgraded` };
        }
      }
    }
    for (const section of config.sections) {
      if (section.kind !== 'backend' && section.kind !== 'listen') continue;
      const [cookie] = linesIn(section, 'cookie');
      if (cookie && effectiveLine(section, 'mode')?.words[1]?.text === 'tcp') {
        yield {
          at: placeOf(cookie),
          message: `${section.kind} ${section.name} is in mode tcp, where no cookie is read`,
        };
      }
    }
  },
};

export const cookieIo: Rule<HaproxyUnit> = {
  id: 'HAP008',
  name: 'cookie-io',
  severity: 'warning',
  title: 'Socket.IO sets no cookie io to stick to',
  what: '`cookie io prefix`, as tutorials for Socket.IO have it.',
  why: '`prefix` changes a cookie that the application sets. Socket.IO sets none since version 3 unless told to, so nothing sticks: polling requests reach other servers and get 400.',
  fix: 'Use `cookie SRV insert indirect nocache httponly secure attr SameSite=None`.',
  source: 'Socket.IO documentation, option cookie of the engine; HAProxy documentation of cookie.',
  *check({ config }) {
    for (const section of config.sections) {
      for (const line of linesIn(section, 'cookie', 'io')) {
        if (wordsOf(line).includes('prefix'))
          yield { at: placeOf(line), message: 'no server sets the cookie io by default, so there is none to prefix' };
      }
    }
  },
};

export const nbproc: Rule<HaproxyUnit> = {
  id: 'HAP009',
  name: 'nbproc',
  severity: 'error',
  title: 'nbproc is gone since HAProxy 2.5',
  what: '`nbproc` in `global`.',
  why: 'HAProxy refuses the file. Where it was still known, each process had its own tables and checks, so stickiness by table did not hold.',
  fix: 'Remove it: threads (`nbthread`) are used by default, one for each processor.',
  source: 'HAProxy 2.5 release notes; judged by HAProxy 2.6.12 in a test.',
  *check({ global }) {
    for (const line of global ? linesIn(global, 'nbproc') : []) {
      yield { at: placeOf(line), message: 'HAProxy 2.5 and later refuse nbproc', edits: [remove(line)] };
    }
  },
};
