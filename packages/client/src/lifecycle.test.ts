import type { Hint } from '@holdfast/protocol';
import { describe, expect, it } from 'vitest';
import { FakeSocket, journal, stage } from './fake-socket.fixture.js';
import { watch } from './lifecycle.js';

/** The `window` and `document` of a page, with their listeners counted. */
class Target extends EventTarget {
  listeners = 0;
  visibilityState: DocumentVisibilityState = 'visible';

  override addEventListener(...args: Parameters<EventTarget['addEventListener']>): void {
    this.listeners++;
    super.addEventListener(...args);
  }

  override removeEventListener(...args: Parameters<EventTarget['removeEventListener']>): void {
    this.listeners--;
    super.removeEventListener(...args);
  }

  fire(type: string, members: object = {}): void {
    this.dispatchEvent(Object.assign(new Event(type), members));
  }

  show(state: DocumentVisibilityState): void {
    this.visibilityState = state;
    this.fire('visibilitychange');
  }
}

const page = () => ({ window: new Target(), document: new Target() });

describe('watch', () => {
  it('tells of each thing that happens to a page in the words of the protocol', () => {
    const { window, document } = page();
    const hints: Hint[] = [];
    watch({ window, document }, (hint) => hints.push(hint));
    document.show('hidden');
    document.show('visible');
    window.fire('offline');
    window.fire('online');
    document.fire('resume');
    window.fire('pageshow', { persisted: true });
    expect(hints).toEqual(['hidden', 'visible', 'offline', 'online', 'woken', 'woken']);
  });

  it('takes the first showing of a page for nothing', () => {
    const { window, document } = page();
    const hints: Hint[] = [];
    watch({ window, document }, (hint) => hints.push(hint));
    window.fire('pageshow', { persisted: false });
    expect(hints).toEqual([]);
  });

  it('tells at once that a page is hidden already', () => {
    const { window, document } = page();
    document.visibilityState = 'hidden';
    const hints: Hint[] = [];
    watch({ window, document }, (hint) => hints.push(hint));
    expect(hints).toEqual(['hidden']);
  });

  it('does without a document, as in a worker', () => {
    const { window } = page();
    const hints: Hint[] = [];
    watch({ window }, (hint) => hints.push(hint));
    window.fire('online');
    expect(hints).toEqual(['online']);
  });

  it('leaves no listener behind', () => {
    const { window, document } = page();
    const stop = watch({ window, document }, () => undefined);
    expect([window.listeners, document.listeners]).toEqual([3, 2]);
    stop();
    expect([window.listeners, document.listeners]).toEqual([0, 0]);
  });
});

describe('a socket on a page', () => {
  it('waits while offline, and dials at once when the network is back', () => {
    const { window, document } = page();
    const net = stage();
    const events = journal(net.open({ lifecycle: { window, document } }));
    window.fire('offline');
    net.last.lose();
    net.clock.advance(600_000);
    expect(net.dialled).toHaveLength(1);
    window.fire('online');
    expect(net.dialled).toHaveLength(2);
    net.last.accept('holdfast.v1');
    net.resumed();
    expect(events).toEqual(['recovering 1006', 'recovered 0']);
  });

  it('probes the transport when the page is shown again, and gives it up when nothing answers', () => {
    const { window, document } = page();
    const net = stage();
    const events = journal(net.open({ lifecycle: { window, document } }));
    document.show('hidden');
    net.clock.advance(20_000);
    expect(net.last.framesOf('ping')).toEqual([]);
    document.show('visible');
    expect(net.last.framesOf('ping')).toHaveLength(1);
    net.clock.advance(5_000);
    expect(events).toEqual(['recovering 4505 HF_SILENT']);
  });

  it('probes when it comes out of the back/forward cache', () => {
    const { window, document } = page();
    const net = stage();
    net.open({ lifecycle: { window, document } });
    window.fire('pageshow', { persisted: true });
    expect(net.last.framesOf('ping')).toHaveLength(1);
  });

  it('tells the server of its pace', () => {
    const { window, document } = page();
    const net = stage();
    net.open({ lifecycle: { window, document } });
    document.show('hidden');
    document.show('visible');
    expect(net.last.framesOf('pace').map(({ pace }) => pace)).toEqual(['background', 'foreground']);
  });

  it('does not mind being offline where the server is this machine', () => {
    const { window, document } = page();
    const net = stage();
    const dialled: FakeSocket[] = [];
    class Transport extends FakeSocket {
      constructor(url: string, protocols: string[]) {
        super(url, protocols);
        dialled.push(this);
      }
    }
    const Socket = net.connect().constructor as new (...args: unknown[]) => object;
    new Socket('ws://localhost:1/', [], { ...net.options, WebSocket: Transport, lifecycle: { window, document } });
    window.fire('offline');
    dialled[0]?.lose();
    net.clock.advance(30_000);
    expect(dialled.length).toBeGreaterThan(1);
  });

  it('stops listening to the page when it has closed', () => {
    const { window, document } = page();
    const net = stage();
    const socket = net.open({ lifecycle: { window, document } });
    expect(window.listeners + document.listeners).toBeGreaterThan(0);
    socket.close();
    net.last.say({ type: 'bye', code: 1000, reason: '' });
    expect(window.listeners + document.listeners).toBe(0);
  });
});
