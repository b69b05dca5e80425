/** Rows that are kept of each room, and beats in a row. */
const ROWS_MAX = 300;
const BEATS_MAX = 60;
/** Nearer to the end than this, the list follows what comes. */
const NEAR_END_PX = 80;

const clock = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium', hourCycle: 'h23' });

/** What was said in the rooms. Everything that people wrote goes in as text, never as markup. */
export class MessageView {
  #list;
  #aloud;
  #shown;
  /** By room: its rows, whether shown or not. */
  #rows = new Map();
  /** By room and author: the row that takes the next beat. */
  #beats = new Map();

  constructor(list, aloud) {
    this.#list = list;
    this.#aloud = aloud;
    // A phone's keyboard, or a window made smaller, must not leave the reader above the end.
    let isAtEnd = true;
    list.addEventListener('scroll', () => {
      isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < NEAR_END_PX;
    });
    new ResizeObserver(() => {
      if (isAtEnd) list.scrollTop = list.scrollHeight;
    }).observe(list);
  }

  show(room) {
    this.#shown = room;
    this.#list.replaceChildren(...(this.#rows.get(room) ?? []));
    this.#list.scrollTop = this.#list.scrollHeight;
  }

  forget(room) {
    this.#rows.delete(room);
    this.#endBeats(room);
    if (this.#shown === room) this.show(room);
  }

  said(message, { isOwn, verdict, isReplayed }) {
    if (message.isBeat) return this.#beat(message, { isOwn, verdict, isReplayed });
    const { room, author, name, text, pod, atMs } = message;
    this.#endBeats(room);
    const row = element('li', isOwn ? 'said own' : 'said');
    colour(row, author, isOwn);
    const head = element('p', 'head');
    head.append(
      element('b', 'author', isOwn ? 'You' : name),
      element('time', '', clock.format(atMs)),
      element('span', 'pod', pod),
    );
    row.append(head, element('p', 'text', text));
    if (isReplayed) row.classList.add('replayed');
    if (verdict !== 'new') row.classList.add(verdict);
    this.#add(room, row);
    if (!isOwn && room === this.#shown) this.#aloud.textContent = `${name}: ${text}`;
  }

  /** A line of the page itself: who came, what happened to the session. */
  note(room, text, tone = '') {
    if (room === undefined) return;
    this.#endBeats(room);
    this.#add(room, element('li', `note ${tone}`, text));
    this.#aloud.textContent = text;
  }

  /** Messages of the traffic are marks in a row of their author. */
  #beat({ room, author, name, n }, { isOwn, verdict, isReplayed }) {
    const key = `${room}\n${author}`;
    let row = this.#beats.get(key);
    if (!row) {
      row = element('li', isOwn ? 'beats own' : 'beats');
      colour(row, author, isOwn);
      row.append(element('b', 'author', isOwn ? 'You' : name), element('span', 'marks'), element('small', 'range'));
      row.dataset.from = n;
      this.#beats.set(key, row);
      this.#add(room, row);
    }
    const marks = row.children[1];
    const mark = element('i', isReplayed ? 'replayed' : '');
    if (verdict !== 'new') mark.classList.add(verdict);
    this.#follow(() => {
      marks.append(mark);
      row.children[2].textContent = row.dataset.from === String(n) ? String(n) : `${row.dataset.from}–${n}`;
    });
    if (marks.childElementCount >= BEATS_MAX) this.#beats.delete(key);
  }

  #endBeats(room) {
    for (const key of this.#beats.keys()) if (key.startsWith(`${room}\n`)) this.#beats.delete(key);
  }

  #add(room, row) {
    const rows = this.#rows.get(room) ?? [];
    this.#rows.set(room, rows);
    rows.push(row);
    if (rows.length > ROWS_MAX) rows.shift().remove();
    if (room === this.#shown) this.#follow(() => this.#list.append(row));
  }

  /** Stays at the end of the list if that is where the reader is. */
  #follow(change) {
    const { scrollHeight, scrollTop, clientHeight } = this.#list;
    const isAtEnd = scrollHeight - scrollTop - clientHeight < NEAR_END_PX;
    change();
    if (isAtEnd) this.#list.scrollTop = this.#list.scrollHeight;
  }
}

function element(tag, className = '', text = '') {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

/** Hues that are told apart, and from the amber of what was replayed, in the order in which authors appear. */
const HUES = [300, 245, 0, 130, 330, 270, 215, 25];
const hues = new Map();

/** The page's own messages have the accent's colour, every other author one of its own. The style sheet makes it fit the theme. */
function colour(row, author, isOwn) {
  if (!isOwn && !hues.has(author)) hues.set(author, HUES[hues.size % HUES.length]);
  row.style.setProperty('--hue', String(isOwn ? 180 : hues.get(author)));
}
