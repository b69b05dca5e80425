const PER_SECOND = 10;

/** A steady stream of small messages, so that a loss would show. */
export class Traffic {
  #send;
  #timer;
  #count = 0;

  /** @param {(text: string) => void} send */
  constructor(send) {
    this.#send = send;
  }

  run(isOn) {
    clearInterval(this.#timer);
    if (isOn) this.#timer = setInterval(() => this.#send(`beat ${++this.#count}`), 1_000 / PER_SECOND);
  }
}
