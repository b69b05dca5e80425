/** Longer than any button keeps a page away: what it said before and has not seen again is missing. */
const OVERDUE_MS = 60_000;

/**
 * Judges delivery by what the authors of messages counted themselves, and by nothing else: it knows neither holdfast nor its
 * statistics. Every author numbers what it says in a room from 1, without holes.
 */
export class Ledger {
  /** Messages that this page sent, in all rooms. */
  sent = 0;
  /** Messages that came, its own among them; each as often as it came. */
  received = 0;
  /** Messages that came again. */
  duplicate = 0;
  /** Messages that came after a later one of their author. */
  late = 0;
  /**
   * How long the page's own message that came back last was on its way: to the pod, into the store, and back.
   * @type {number | undefined}
   */
  roundTripMs;
  /**
   * By room, then by author: the highest number that came, and the lower ones that have not.
   * @type {Map<string, Map<string, { highest: number, holes: Set<number> }>>}
   */
  #rooms = new Map();
  /** @type {Map<string, number>} */
  #sentIn = new Map();
  /**
   * By room and number: when the page's own messages were sent that have not come back.
   * @type {Map<string, number>}
   */
  #sentMs = new Map();
  #now;

  /** @param {() => number} now milliseconds */
  constructor(now = () => performance.now()) {
    this.#now = now;
  }

  /** Numbers that were passed over, and own ones that are overdue. What comes late is not missing any more. */
  get missing() {
    let missing = 0;
    for (const room of this.#rooms.values()) for (const { holes } of room.values()) missing += holes.size;
    return missing + this.#overdue;
  }

  /** Own messages behind which nothing came that would show them as passed over. */
  get #overdue() {
    const beforeMs = this.#now() - OVERDUE_MS;
    let overdue = 0;
    for (const [room, authors] of this.#rooms) {
      const [self] = authors.values();
      const sent = this.#sentIn.get(room) ?? 0;
      for (let n = (self?.highest ?? 0) + 1; n <= sent; n++) {
        if ((this.#sentMs.get(`${room} ${n}`) ?? Infinity) < beforeMs) overdue++;
        else break;
      }
    }
    return overdue;
  }

  /**
   * A stay in a room begins: of the page's own messages the next one is awaited, of others' whichever comes first.
   * @param {string} room
   * @param {string} self
   */
  enter(room, self) {
    this.#rooms.set(room, new Map([[self, { highest: this.#sentIn.get(room) ?? 0, holes: new Set() }]]));
  }

  /** @param {string} room */
  leave(room) {
    this.#rooms.delete(room);
  }

  /**
   * The number of the next message that this page says in a room.
   * @param {string} room
   */
  nextOf(room) {
    const n = (this.#sentIn.get(room) ?? 0) + 1;
    this.#sentIn.set(room, n);
    this.sent++;
    this.#sentMs.set(`${room} ${n}`, this.#now());
    return n;
  }

  /**
   * One of the page's own messages has come back.
   * @param {string} room
   * @param {number} n
   */
  returned(room, n) {
    const sentMs = this.#sentMs.get(`${room} ${n}`);
    if (sentMs === undefined) return;
    this.#sentMs.delete(`${room} ${n}`);
    this.roundTripMs = this.#now() - sentMs;
  }

  /**
   * What the arrival of a message means.
   * @param {string} room
   * @param {string} author
   * @param {number} n
   * @returns {'new' | 'duplicate' | 'late'}
   */
  take(room, author, n) {
    this.received++;
    const authors = this.#rooms.get(room);
    const account = authors?.get(author);
    if (!account) {
      authors?.set(author, { highest: n, holes: new Set() });
      return 'new';
    }
    for (let hole = account.highest + 1; hole < n; hole++) account.holes.add(hole);
    if (n > account.highest) {
      account.highest = n;
      return 'new';
    }
    if (account.holes.delete(n)) {
      this.late++;
      return 'late';
    }
    this.duplicate++;
    return 'duplicate';
  }
}
