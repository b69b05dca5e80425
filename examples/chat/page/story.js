/** What happens to the session, in words, as it happens. */
export class Story {
  isRecovering = false;
  isClosed = false;
  /** Messages that came again from the log after an interruption. */
  replayed = 0;
  #sinceMs = 0;
  #socket;
  #write;

  /**
   * @param {import('@holdfast/client').WebSocket} socket
   * @param {(text: string, tone?: 'good' | 'bad' | 'act') => void} write
   */
  constructor(socket, write) {
    this.#socket = socket;
    this.#write = write;
    socket.addEventListener('recovering', ({ code, reason }) => this.#recovering(code, reason));
    socket.addEventListener('recovered', ({ replayed }) => this.#recovered(replayed));
    socket.addEventListener('moved', ({ pod }) => this.tell(`Moved to ${pod} without an interruption`, 'good'));
    socket.addEventListener('gap', ({ from, to }) => this.tell(`The server has lost messages ${from} to ${to}`, 'bad'));
    socket.addEventListener('close', ({ code, reason }) => this.#closed(code, reason));
  }

  /** How long the session has had no connection. */
  get downMs() {
    return this.isRecovering ? performance.now() - this.#sinceMs : 0;
  }

  /** Who serves the session; who did last while nobody does. */
  get pod() {
    return this.#socket.getStatistics().pod ?? 'the pod';
  }

  tell(text, tone) {
    this.#write(text, tone);
  }

  #recovering(code, reason) {
    if (!this.isRecovering) this.#sinceMs = performance.now();
    this.isRecovering = true;
    this.tell(`Connection lost (${words(code, reason)}); what is said meanwhile waits`);
  }

  #recovered(replayed) {
    const downMs = this.downMs;
    this.isRecovering = false;
    this.replayed += replayed;
    const what = `${replayed} message${replayed === 1 ? '' : 's'} replayed`;
    this.tell(`Back on ${this.pod} after ${(downMs / 1_000).toFixed(1)} s: ${what}`, 'good');
  }

  #closed(code, reason) {
    this.isRecovering = false;
    this.isClosed = true;
    this.tell(`The session is over (${words(code, reason)}); reload the page for a new one`, 'bad');
  }
}

const words = (code, reason) => (reason ? `${code} ${reason}` : String(code));
