import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WebSocket } from '@holdfast/client';
import { type RunningProcess, startProcess, until } from '@holdfast/testing';
import type { Browser, BrowserContextOptions, Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchChromium } from './chromium.fixture.js';

// The main job as a visitor has it: what `npm start` serves, in a real browser, through every button of the page.

const root = join(import.meta.dirname, '..');
const DESKTOP: BrowserContextOptions = { viewport: { width: 1280, height: 800 }, colorScheme: 'light' };
const PHONE: BrowserContextOptions = {
  viewport: { width: 390, height: 844 },
  deviceScaleFactor: 2,
  isMobile: true,
  hasTouch: true,
  colorScheme: 'dark',
};

let browser: Browser;
let pictures: string;
const faults: string[] = [];
/** How many WebSockets each page has opened. */
const opened = new Map<Page, number>();

beforeAll(async () => {
  browser = await launchChromium();
  pictures = mkdtempSync(join(tmpdir(), 'holdfast-chat-pictures-'));
  process.stdout.write(`pictures of the page: ${pictures}\n`);
});

afterAll(() => browser?.close());

interface Chat extends AsyncDisposable {
  readonly process: RunningProcess;
  readonly url: string;
}

async function startChat(env: Record<string, string> = {}): Promise<Chat> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-chat-'));
  const process = await startProcess({
    command: globalThis.process.execPath,
    args: ['scripts/start.mjs', '--port', '0', '--store', `lmdb:${folder}/data`],
    cwd: root,
    env,
    ready: /(http:\S+) serves examples\/chat\/app\.mjs with 3 pods behind a gateway/,
    readyTimeoutMs: 120_000,
  });
  const dispose = async (): Promise<void> => {
    await process[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  };
  return { process, url: process.readyMatch?.[1] ?? '', [Symbol.asyncDispose]: dispose };
}

async function visit({ url }: Chat, options: BrowserContextOptions): Promise<Page> {
  const page = await (await browser.newContext(options)).newPage();
  page.on('pageerror', (error) => faults.push(error.message));
  page.on('console', (message) => {
    if (message.text().includes('Content Security Policy')) faults.push(message.text());
  });
  page.on('websocket', () => opened.set(page, (opened.get(page) ?? 0) + 1));
  await page.goto(url);
  await page.getByRole('button', { name: 'Harbour', exact: true }).and(page.locator('[aria-current]')).waitFor();
  return page;
}

/** What the page shows of itself. */
async function shown(page: Page) {
  const texts = await page.$$eval('#state, .strip dd', (all) => all.map(({ id, textContent }) => [id, textContent]));
  const text = Object.fromEntries(texts) as Record<string, string>;
  const count = (id: string): number => Number(text[id]?.replaceAll(',', ''));
  return {
    state: text['state'],
    pod: text['pod'],
    session: text['session'],
    rtt: text['rtt'],
    transports: count('transports'),
    sent: count('sent'),
    received: count('received'),
    replayed: count('replayed'),
    duplicate: count('duplicate'),
    missing: count('missing'),
  };
}

type Shown = Awaited<ReturnType<typeof shown>>;

const untilShown = (page: Page, what: string, is: (now: Shown) => boolean, timeoutMs = 30_000): Promise<Shown> => {
  let last: Shown | undefined;
  return until(
    async () => {
      last = await shown(page);
      return is(last) && last;
    },
    { timeoutMs, everyMs: 50, what: () => `${what}; the page shows ${JSON.stringify(last)}` },
  );
};

const picture = (page: Page, name: string): Promise<unknown> =>
  page.screenshot({ path: join(pictures, `${name}.png`) });

/** What the page has told of its session in the room that it shows, without what it reads aloud of it. */
const told = (page: Page, what: RegExp): Locator => page.locator('#messages').getByText(what);

const overflowPx = (page: Page): Promise<number> =>
  page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);

describe('the chat page', () => {
  it('loses and repeats nothing through every button, while two pages talk', async () => {
    await using chat = await startChat();
    const ada = await visit(chat, DESKTOP);
    const bob = await visit(chat, PHONE);
    // A page shows the room that it asks for; it hears of it when the server has taken it in, as Ada does.
    await ada
      .getByText(/ came in$/)
      .first()
      .waitFor();
    for (const [page, text] of [
      [ada, 'Ahoy! <b>Is</b> this thing on?'],
      [bob, 'Loud and clear. Kill something.'],
    ] as const) {
      await page.getByRole('textbox', { name: 'Message' }).fill(text);
      await page.keyboard.press('Enter');
    }
    await bob.getByText('Ahoy! <b>Is</b> this thing on?').first().waitFor();
    for (const page of [ada, bob]) await page.getByRole('switch', { name: 'traffic' }).check();
    await untilShown(ada, 'traffic', ({ received }) => received > 40);

    // A reset: the other page goes on talking meanwhile, so there is something to replay.
    await ada.getByRole('button', { name: 'Cut my network' }).click();
    await untilShown(ada, 'the cut', ({ state }) => /^recovering\d/.test(state ?? ''));
    await picture(ada, 'desktop-recovering');
    // The connection is open before all is replayed that it missed.
    const cut = await untilShown(ada, 'the replay', ({ state, replayed }) => state === 'open' && replayed > 0);
    expect(cut.transports).toBeGreaterThan(1);

    // A black hole: nobody is told, so both ends must notice.
    await ada.getByRole('checkbox', { name: 'silently' }).check();
    await ada.getByRole('button', { name: 'Cut my network' }).click();
    await untilShown(ada, 'that the silence is noticed', ({ transports }) => transports > cut.transports);
    await untilShown(
      ada,
      'the end of the silence',
      ({ state, replayed }) => state === 'open' && replayed > cut.replayed,
    );

    // SIGKILL of the pod that holds Bob's session, and maybe Ada's.
    const before = await shown(bob);
    const lost = { ada: 2, bob: 1 };
    if ((await shown(ada)).pod === before.pod) lost.ada++;
    await bob.getByRole('button', { name: 'Kill this pod' }).click();
    await chat.process.waitForLine(new RegExp(`${before.pod}\\) ended by SIGKILL`));
    // The gateway keeps its connection, and leads it to another pod.
    await untilShown(bob, 'another pod', ({ state, pod, transports }) => {
      return state === 'open' && pod !== before.pod && transports > before.transports;
    });
    for (const [page, times] of [
      [ada, lost.ada],
      [bob, lost.bob],
    ] as const) {
      await told(page, /^Back on pod-/)
        .nth(times - 1)
        .waitFor();
    }

    // All pods, one after another: the sessions move first, and are never without a connection.
    await ada.getByRole('button', { name: 'Restart all pods in turn' }).click();
    await chat.process.waitForLine(/all pods restarted/, 60_000);
    await ada
      .getByText(/Moved to pod-.* without an interruption/)
      .first()
      .waitFor();
    await picture(ada, 'desktop');
    await picture(bob, 'phone');

    for (const page of [ada, bob]) await page.getByRole('switch', { name: 'traffic' }).uncheck();
    // The page shows its counts five times a second: they are at rest when they are the same for longer than that.
    let last = '';
    const ends = await until(
      async () => {
        const now = [await shown(ada), await shown(bob)];
        const isAtRest = JSON.stringify(now) === last;
        last = JSON.stringify(now);
        const sent = now.reduce((sum, page) => sum + page.sent, 0);
        return isAtRest && now.every(({ received }) => received === sent) && now;
      },
      { timeoutMs: 20_000, everyMs: 500, what: () => `all messages on both pages: ${last}` },
    );
    for (const end of ends) {
      expect(end).toMatchObject({ state: 'open', missing: 0, duplicate: 0 });
      expect(end.transports).toBeGreaterThan(2);
      expect(end.rtt).toMatch(/^\d+(\.\d)? ms$/);
    }
    // Only a network that was cut has cost a connection.
    expect([ada, bob].map((page) => opened.get(page))).toEqual([3, 1]);
    // And a restart none that the page has seen.
    const losses = [ada, bob].map((page) => told(page, /^Connection lost/).count());
    expect(await Promise.all(losses)).toEqual([lost.ada, lost.bob]);
    expect(await overflowPx(bob)).toBe(0);
    expect(faults).toEqual([]);
    for (const page of [ada, bob]) await page.context().close();
    chat.process.kill('SIGINT');
    expect(await chat.process.exited).toEqual({ code: 0, signal: null });
  });

  it('keeps rooms apart, marks what came unseen, and comes back into a room that was left', async () => {
    await using chat = await startChat();
    const ada = await visit(chat, DESKTOP);
    const bob = await visit(chat, PHONE);
    const say = async (page: Page, text: string): Promise<void> => {
      await page.getByRole('textbox', { name: 'Message' }).fill(text);
      await page.keyboard.press('Enter');
    };
    await ada.getByRole('textbox', { name: 'Another room' }).fill('Galley');
    await ada.keyboard.press('Enter');
    await say(ada, 'only in the galley');
    await ada.getByText('only in the galley').first().waitFor();
    await say(bob, 'in the harbour');
    await ada.getByLabel('1 unseen').waitFor();
    await picture(ada, 'desktop-rooms');
    await ada.getByRole('button', { name: /^Harbour/ }).click();
    await ada.getByText('in the harbour').first().waitFor();
    expect(await bob.getByText('only in the galley').count()).toBe(0);

    await ada.getByRole('button', { name: 'Leave Harbour' }).click();
    await bob
      .getByText(/ left$/)
      .first()
      .waitFor();
    await say(bob, 'to an empty room');
    await ada.getByRole('button', { name: 'Harbour', exact: true }).click();
    await bob
      .getByText(/ came in$/)
      .nth(0)
      .waitFor();
    await say(bob, 'welcome back');
    await ada.getByText('welcome back').first().waitFor();
    expect(await ada.getByText('to an empty room').count()).toBe(0);
    expect(await shown(ada)).toMatchObject({ missing: 0, duplicate: 0 });
    expect(faults).toEqual([]);
    for (const page of [ada, bob]) await page.context().close();
  });

  it('fits screens from a small phone to a wide monitor in both themes', async () => {
    await using chat = await startChat();
    for (const [name, width, height] of [
      ['small-phone', 320, 568],
      ['tablet', 820, 1180],
      ['wide', 1920, 1080],
    ] as const) {
      for (const colorScheme of ['light', 'dark'] as const) {
        const page = await visit(chat, { viewport: { width, height }, colorScheme });
        await page.getByRole('switch', { name: 'traffic' }).check();
        await untilShown(page, 'traffic', ({ received }) => received > 5);
        await picture(page, `${name}-${colorScheme}`);
        expect(await overflowPx(page)).toBe(0);
        await page.context().close();
      }
    }
    expect(faults).toEqual([]);
  });

  it('may only cut its own network where the dangerous buttons are off, and says so to the server in vain', async () => {
    await using chat = await startChat({ CHAT_DANGERS: 'off' });
    const page = await visit(chat, DESKTOP);
    expect(await page.getByRole('button', { name: 'Kill this pod' }).isVisible()).toBe(false);
    expect(await page.getByRole('button', { name: 'Restart all pods in turn' }).isVisible()).toBe(false);
    const socket = new WebSocket(chat.url);
    await once(socket, 'open');
    for (const what of ['kill', 'restart', 'cut']) socket.send(JSON.stringify({ type: 'danger', what }));
    socket.send(JSON.stringify({ type: 'hello', name: 'Eve' }));
    const [{ data }] = (await once(socket, 'message')) as [{ data: unknown }];
    expect(JSON.parse(String(data))).toMatchObject({ type: 'welcome', dangers: false });
    expect(socket.getStatistics().transports).toBe(1);
    socket.close();
    expect(String(chat.process.stdout)).not.toMatch(/SIGKILL|restarting/);
    const { headers } = await fetch(chat.url);
    expect(headers.get('content-security-policy')).toMatch(/default-src 'none'.*frame-ancestors 'none'/);
    await page.context().close();
  });
});
