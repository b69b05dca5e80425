import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { CookiePolicy, Route, Stickiness } from '@holdfast/policy';
import { describe, expect, it } from 'vitest';
import { addressKey } from './address-key.js';
import { CookieKeys } from './cookie-keys.js';
import type { Pod } from './member.js';
import { stickiesOf, Sticky, type Asking, type Stuck } from './sticky.js';

const pods: Pod[] = ['a:80', 'b:80'].map((id) => ({ id, host: id.slice(0, 1), port: 80, state: 'ready' }));
const [a, b] = pods as [Pod, Pod];
const [oldKey, newKey] = ['o', 'n'].map((letter) => letter.repeat(32)) as [string, string];

const policy: CookiePolicy = {
  name: 'route',
  path: '/',
  httpOnly: true,
  secure: true,
  sameSite: 'lax',
  persistent: true,
};
const asking = (more: Partial<Asking> = {}): Asking => ({ url: '/', headers: {}, clientAddress: '192.0.2.7', ...more });
const affinityOf = (stickiness: Stickiness, more: Partial<Asking>) =>
  new Sticky(stickiness).ask(asking(more), pods).affinity;

describe('where a request goes', () => {
  it.each([
    ['the session id in the URL', { by: 'session' }, { url: '/ws?x=1&hf=s-1' }, { key: 's-1', maxLoad: 1.25 }],
    ['the first of two', { by: 'session' }, { url: '/ws?hf=s-1&hf=s-2' }, { key: 's-1' }],
    ['no session id yet', { by: 'session' }, { url: '/ws?hfx=1' }, { key: undefined, balance: 'least' }],
    ['an empty one', { by: 'session', maxLoad: 2 }, { url: '/ws?hf=' }, { key: undefined, maxLoad: 2 }],
    ['a header', { by: 'header', header: 'X-Session-Id' }, { headers: { 'x-session-id': 's-1' } }, { key: 's-1' }],
    ['a header that is missing', { by: 'header', header: 'X-Session-Id' }, {}, { key: undefined, balance: 'least' }],
    ['the address', { by: 'ip' }, {}, { key: '192.0.2.7', maxLoad: undefined }],
    ['the network of the address', { by: 'ip', prefix: 24 }, {}, { key: '192.0.2' }],
    ['nothing', { by: 'none', balance: 'round-robin' }, {}, { balance: 'round-robin' }],
  ] as [string, Stickiness, Partial<Asking>, object][])('is decided by %s', (_, stickiness, more, expected) => {
    expect(affinityOf(stickiness, more)).toMatchObject(expected);
  });
});

describe('addressKey', () => {
  it.each([
    ['an IPv4 address in IPv6 form as the address', '::ffff:192.0.2.7', '192.0.2.7', true],
    ['two hosts of one IPv6 network', '2001:db8:0:1::1', '2001:db8:0:1:ffff::2', true],
    ['two IPv6 networks', '2001:db8:0:1::1', '2001:db8:0:2::1', false],
    ['an address with its zone', 'fe80::1%eth0', 'fe80::1', true],
    ['two IPv4 neighbours', '192.0.2.7', '192.0.2.8', false],
    ['what is no address', 'unix:', 'unix:', true],
  ])('takes %s', (_, one, other, isSame) => expect(addressKey(one) === addressKey(other)).toBe(isSame));
});

describe('a cookie', () => {
  const sticky = (more: Partial<CookiePolicy> = {}, secrets = [newKey]): Sticky =>
    new Sticky({ by: 'cookie', cookie: { ...policy, ...more } }, new CookieKeys(secrets));
  const bearing = (cookie: string): Asking => asking({ headers: { cookie } });
  const valueOf = (answer: string | undefined): string => answer?.split(';')[0] ?? '';
  const first = (from = sticky()): { stuck: Stuck; cookie: string } => {
    const stuck = from.ask(asking(), pods);
    return { stuck, cookie: valueOf(stuck.cookieFor?.(b)) };
  };

  it('is set once, and leads back to the pod that set it', () => {
    const { stuck, cookie } = first();
    const again = sticky().ask(bearing(`x=1; ${cookie}; y=2`), pods);
    expect(again.affinity).toMatchObject({ key: stuck.affinity.key, pod: 'b:80' });
    expect(again.cookieFor?.(b)).toBeUndefined();
  });

  it('has all attributes that the policy asks for', () => {
    const all = sticky({ maxAgeMs: 90_500, domain: 'a.test', sameSite: 'none', partitioned: true, path: '/ws' });
    const attributes = '; Path=/ws; Domain=a.test; Max-Age=90; HttpOnly; Secure; SameSite=None; Partitioned';
    expect(all.ask(asking(), pods).cookieFor?.(a)?.slice(-attributes.length)).toBe(attributes);
    const few = sticky({ httpOnly: false, secure: false, sameSite: 'strict' });
    expect(few.ask(asking(), pods).cookieFor?.(a)).toMatch(
      /^route=[\w-]{22}\.[\w-]{11}\.[\w-]{22}; Path=\/; SameSite=Strict$/,
    );
  });

  it('names the pod by what only the keys can tell', () => {
    const tagOf = (cookie: string): string | undefined => cookie.split('.')[1];
    const [one, same, other] = [first(), first(), first(sticky({}, [oldKey]))].map(({ cookie }) => tagOf(cookie));
    expect([one === same, one === other]).toEqual([true, false]);
  });

  it('keeps the home of a pod that is only away for a while, and takes another when it has been removed', () => {
    const { cookie } = first();
    const resting = pods.map((pod) => ({ ...pod, state: 'resting' as const }));
    expect(sticky().ask(bearing(cookie), resting).cookieFor?.(a)).toBeUndefined();
    const moved = sticky().ask(bearing(cookie), [a]);
    expect(moved.affinity.pod).toBeUndefined();
    const next = valueOf(moved.cookieFor?.(a));
    expect(sticky().ask(bearing(next), pods).affinity).toMatchObject({ key: moved.affinity.key, pod: 'a:80' });
  });

  it('hangs on its key alone when it is not persistent', () => {
    const balanced = sticky({ persistent: false });
    const { stuck, cookie } = first(balanced);
    const again = balanced.ask(bearing(cookie), [a]);
    expect(again.affinity).toMatchObject({ key: stuck.affinity.key, pod: undefined });
    expect(again.cookieFor?.(a)).toBeUndefined();
  });

  it('is worth nothing when somebody has changed it, or another gateway signed it', () => {
    const { stuck, cookie } = first();
    const forged = [
      cookie.replace(/=./, (start) => (start === '=A' ? '=B' : '=A')),
      cookie.slice(0, -1),
      `${cookie}A`,
      'route=',
      'route=.',
      `route=${'A'.repeat(5_000)}`,
      first(sticky({}, ['x'.repeat(32)])).cookie,
    ];
    for (const each of forged) {
      const { affinity, cookieFor } = sticky().ask(bearing(each), pods);
      expect([affinity.key === stuck.affinity.key, affinity.pod]).toEqual([false, undefined]);
      expect(cookieFor?.(a)).toBeDefined();
    }
  });

  it('is found behind others of its name', () => {
    const { cookie } = first();
    expect(sticky().ask(bearing(`route=stale; ${cookie}`), pods).affinity.pod).toBe('b:80');
  });

  it('outlives a rotation of keys, and is signed anew', () => {
    const { stuck, cookie } = first(sticky({}, [oldKey]));
    const rotated = sticky({}, [newKey, oldKey]).ask(bearing(cookie), pods);
    expect(rotated.affinity).toMatchObject({ key: stuck.affinity.key, pod: 'b:80' });
    const anew = valueOf(rotated.cookieFor?.(a));
    expect(sticky({}, [newKey]).ask(bearing(anew), pods).affinity).toMatchObject({
      key: stuck.affinity.key,
      pod: 'b:80',
    });
    expect(sticky({}, [newKey]).ask(bearing(cookie), pods).affinity.pod).toBeUndefined();
  });
});

describe('the key file', () => {
  it('has one key a line, and may have comments', () => {
    const signed = CookieKeys.parse(`# newest first\r\n${newKey}\r\n\r\n${oldKey}\n`).sign('t');
    expect(new CookieKeys([newKey]).verify(signed)).toEqual({ text: 't', key: 0 });
  });

  it.each([
    ['no key', ''],
    ['a short key', 'hunter2'],
    ['too many', Array.from({ length: 9 }, () => newKey).join('\n')],
  ])('with %s is refused without being quoted', (_, text) => {
    expect(() => CookieKeys.parse(text)).toThrow(/^HF_COOKIE_KEYS: [^()]*$/);
  });

  it('is read for the route that names it, and its name is told when it cannot be', async () => {
    const path = join(await mkdtemp(join(tmpdir(), 'keys-')), 'keys');
    const route = { stickiness: { by: 'cookie', cookie: { ...policy, keyFile: path } } } as Route;
    expect(() => stickiesOf([route])).toThrow(/^HF_COOKIE_KEYS: .*\/keys cannot be read/);
    await writeFile(path, newKey);
    const [[, sticky] = []] = stickiesOf([route]);
    const cookie = sticky?.ask(asking(), pods).cookieFor?.(b)?.split(';')[0];
    const other = new Sticky(route.stickiness, new CookieKeys([newKey]));
    expect(other.ask(asking({ headers: { cookie } }), pods).affinity.pod).toBe('b:80');
    await rm(dirname(path), { recursive: true });
  });

  it('is one for the process where there is none, so that a reload of the policy costs nobody the pod', () => {
    const [one, two] = [0, 1].map(() => new Sticky({ by: 'cookie', cookie: policy }));
    const cookie = one?.ask(asking(), pods).cookieFor?.(b)?.split(';')[0];
    expect(two?.ask(asking({ headers: { cookie } }), pods).affinity.pod).toBe('b:80');
  });
});
