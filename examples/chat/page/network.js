const Native = globalThis.WebSocket;

/**
 * The page's network, between the library and the browser: it can fail, and the library is not told.
 *
 * A transport that is lost in silence neither sends nor receives from then on, and never says so: packets go into a black hole.
 * While the network is down no new transport opens: where it fails with an error, at once; where it fails in silence, never.
 */
export class Network {
  #live = new Set();
  #downUntilMs = 0;
  #isSilent = false;

  /** The constructor to give to the library. */
  get WebSocket() {
    const open = (url, protocols) => this.#open(url, protocols);
    return class {
      constructor(url, protocols) {
        // A constructor may return another object than its own: which one depends on the network.
        return open(url, protocols);
      }
    };
  }

  get isDown() {
    return performance.now() < this.#downUntilMs;
  }

  /** Goes down for a while. In silence the transports of now are lost as well; otherwise something else cuts them. */
  fail(durationMs, { isSilent }) {
    this.#downUntilMs = performance.now() + durationMs;
    this.#isSilent = isSilent;
    if (!isSilent) return;
    for (const wire of this.#live) wire.lose();
    this.#live.clear();
  }

  #open(url, protocols) {
    if (this.isDown) return new DeadEnd(this.#isSilent);
    const wire = new Wire(url, protocols);
    this.#live.add(wire);
    wire.addEventListener('close', () => this.#live.delete(wire));
    return wire;
  }
}

/** A WebSocket of the browser whose packets can be made to vanish, in both directions. */
class Wire extends Native {
  #isLost = false;

  constructor(url, protocols) {
    super(url, protocols);
    // Before anyone else can listen, so that nobody hears what comes once it is lost.
    for (const type of ['open', 'message', 'error', 'close']) {
      this.addEventListener(type, (event) => this.#isLost && event.stopImmediatePropagation());
    }
  }

  lose() {
    this.#isLost = true;
  }

  send(data) {
    if (!this.#isLost) super.send(data);
  }
}

/** What a WebSocket is while the network is down. */
class DeadEnd {
  protocol = '';
  extensions = '';
  bufferedAmount = 0;
  readyState = 0;

  constructor(isSilent) {
    if (!isSilent) setTimeout(() => this.onclose?.({ code: 1006, reason: '', wasClean: false }), 10);
  }

  send() {}

  close() {}
}
