/** The rooms: those that the session is in, the one that is shown, and what has come unseen. */
export class RoomList {
  /** The room that is shown. */
  current;
  /** By name. `leaving`: the server has not confirmed yet, and until it does the room cannot be entered anew. */
  #rooms = new Map();
  #list;
  #join;
  #leave;
  #show;

  constructor({ list, join, leave, show }) {
    this.#list = list;
    this.#join = join;
    this.#leave = leave;
    this.#show = show;
  }

  /** Adds a room to choose from. */
  add(name) {
    if (!this.#rooms.has(name)) this.#rooms.set(name, { state: 'out', unseen: 0 });
    this.#render();
  }

  /** Shows a room, and enters it first if the session is not in it. */
  enter(name) {
    this.add(name);
    const room = this.#rooms.get(name);
    if (room.state === 'leaving') return;
    if (room.state === 'out') this.#join(name);
    room.state = 'in';
    room.unseen = 0;
    this.current = name;
    this.#show(name);
    this.#render();
  }

  left(name) {
    this.#rooms.get(name).state = 'out';
    this.#render();
  }

  /** Something was said in a room. */
  noticed(name) {
    const room = this.#rooms.get(name);
    if (!room || name === this.current) return;
    room.unseen++;
    this.#render();
  }

  #away(name) {
    const room = this.#rooms.get(name);
    room.state = 'leaving';
    this.#leave(name);
    const others = [...this.#rooms].filter(([, { state }]) => state === 'in');
    this.current = undefined;
    if (others.length > 0) this.enter(others[0][0]);
    else this.#show(undefined);
    this.#render();
  }

  #render() {
    this.#list.replaceChildren(...[...this.#rooms].map(([name, room]) => this.#item(name, room)));
  }

  #item(name, { state, unseen }) {
    const item = document.createElement('li');
    item.className = state;
    const open = button(name, () => this.enter(name));
    open.disabled = state === 'leaving';
    if (name === this.current) open.setAttribute('aria-current', 'true');
    if (unseen > 0) {
      const count = document.createElement('b');
      count.textContent = String(unseen);
      count.setAttribute('aria-label', `${unseen} unseen`);
      open.append(' ', count);
    }
    item.append(open);
    if (state === 'in') {
      const away = button('×', () => this.#away(name));
      away.setAttribute('aria-label', `Leave ${name}`);
      item.append(away);
    }
    return item;
  }
}

function button(text, click) {
  const element = document.createElement('button');
  element.type = 'button';
  element.textContent = text;
  element.addEventListener('click', click);
  return element;
}
