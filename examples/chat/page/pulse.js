const SLOT_MS = 500;
const SLOTS = 120;

/** The last minute in bars: what came as it was said, what was replayed, and when there was no connection. */
export class Pulse {
  #canvas;
  #slots = [];
  #startMs = performance.now();

  constructor(canvas) {
    this.#canvas = canvas;
  }

  /** A message came. */
  count(isReplayed) {
    const slot = this.#slot();
    if (isReplayed) slot.replayed++;
    else slot.live++;
  }

  draw(isDown) {
    if (isDown) this.#slot().isDown = true;
    this.#slot();
    const { width, height, context } = this.#surface();
    const styles = getComputedStyle(this.#canvas);
    const colours = Object.fromEntries(
      ['live', 'replayed', 'down'].map((key) => [key, styles.getPropertyValue(`--${key}`)]),
    );
    const step = width / SLOTS;
    const bar = Math.max(1, step - 1);
    // The square root keeps the beat visible beside the burst of a replay.
    const most = Math.max(3, ...this.#slots.map(({ live, replayed }) => Math.sqrt(live + replayed)));
    context.clearRect(0, 0, width, height);
    for (const [i, { live, replayed, isDown: wasDown }] of this.#slots.entries()) {
      const x = width - (this.#slots.length - i) * step;
      const total = live + replayed;
      const whole = (Math.sqrt(total) / most) * (height - 2);
      const ofReplayed = total === 0 ? 0 : (whole * replayed) / total;
      if (wasDown) fill(context, colours.down, x, 0, step, height);
      fill(context, colours.live, x, height - whole + ofReplayed, bar, whole - ofReplayed);
      fill(context, colours.replayed, x, height - whole, bar, ofReplayed);
    }
    fill(context, colours.live, 0, height - 1, width, 1);
  }

  #slot() {
    const index = Math.floor((performance.now() - this.#startMs) / SLOT_MS);
    let last = this.#slots.at(-1);
    while (!last || last.index < index) {
      // A page that slept does not make up for every slot of the night.
      last = { index: last ? Math.max(last.index + 1, index - SLOTS) : index, live: 0, replayed: 0, isDown: false };
      this.#slots.push(last);
    }
    if (this.#slots.length > SLOTS) this.#slots.splice(0, this.#slots.length - SLOTS);
    return last;
  }

  #surface() {
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    const ratio = devicePixelRatio;
    if (this.#canvas.width !== Math.round(width * ratio)) this.#canvas.width = Math.round(width * ratio);
    if (this.#canvas.height !== Math.round(height * ratio)) this.#canvas.height = Math.round(height * ratio);
    const context = this.#canvas.getContext('2d');
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    return { width, height, context };
  }
}

function fill(context, colour, x, y, width, height) {
  context.fillStyle = colour;
  context.fillRect(x, y, width, height);
}
