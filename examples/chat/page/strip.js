const byId = (id) => document.getElementById(id);
const number = new Intl.NumberFormat('en');

/** The live strip: who serves this session and how, and what the ledger says of it. */
export class Strip {
  #socket;
  #ledger;
  #story;

  constructor({ socket, ledger, story }) {
    this.#socket = socket;
    this.#ledger = ledger;
    this.#story = story;
  }

  show() {
    const { session, pod, rttMs, transports, state } = this.#socket.getStatistics();
    const { sent, received, duplicate, missing, roundTripMs = rttMs } = this.#ledger;
    this.#state(state);
    put('session', session?.slice(0, 8) ?? '–', session);
    put('pod', pod ?? '–', pod);
    put('rtt', roundTripMs === undefined ? '–' : `${roundTripMs.toFixed(roundTripMs < 10 ? 1 : 0)} ms`);
    for (const [id, count] of Object.entries({ transports, sent, received, duplicate, missing })) {
      put(id, number.format(count));
    }
    put('replayed', number.format(this.#story.replayed));
    for (const id of ['duplicate', 'missing']) {
      byId(id).parentElement.dataset.good = String(byId(id).textContent === '0');
    }
    // What breaks a session goes to its pod over the session.
    for (const id of ['cut', 'kill', 'restart']) byId(id).disabled = state !== 'open';
  }

  #state(state) {
    const { downMs } = this.#story;
    const element = byId('state');
    element.dataset.state = state;
    if (element.firstChild.textContent !== state) element.firstChild.textContent = state;
    // Not read aloud, as the state itself is: it changes all the time.
    put('down', state === 'recovering' ? `${(downMs / 1_000).toFixed(1)} s` : '');
  }
}

/** Text, never markup; and only when it differs, so that nothing is laid out again for nothing. */
function put(id, text, title) {
  const element = byId(id);
  if (element.textContent !== text) element.textContent = text;
  if (title !== undefined && element.title !== title) element.title = title;
}
