// The page: a socket of holdfast, a ledger that judges it, and the views.
import { WebSocket } from '/holdfast.min.js';
import { Ledger } from './ledger.js';
import { MessageView } from './messages.js';
import { Network } from './network.js';
import { Pulse } from './pulse.js';
import { RoomList } from './rooms.js';
import { Story } from './story.js';
import { Strip } from './strip.js';
import { Traffic } from './traffic.js';
import { chosenName } from './names.js';

const DOWN_MS = 3_000;
const byId = (id) => document.getElementById(id);

const network = new Network();
const ledger = new Ledger();
const socket = new WebSocket('/', [], { WebSocket: network.WebSocket });
const pulse = new Pulse(byId('pulse'));
const messages = new MessageView(byId('messages'), byId('aloud'));
const rooms = new RoomList({ list: byId('rooms'), join: enter, leave, show: (room) => messages.show(room) });
const story = new Story(socket, (text, tone) => messages.note(rooms.current, text, tone));
const strip = new Strip({ socket, ledger, story });
const traffic = new Traffic((text) => say(text, true));

let self;
const tell = (message) => {
  if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
};

function enter(room) {
  ledger.enter(room, self);
  tell({ type: 'join', room });
}

function leave(room) {
  tell({ type: 'leave', room });
}

function say(text, isBeat) {
  const room = rooms.current;
  if (room === undefined || socket.readyState !== WebSocket.OPEN) return;
  tell({ type: 'say', room, n: ledger.nextOf(room), text, isBeat });
}

const heard = {
  welcome({ you, dangers }) {
    document.body.classList.toggle('harmless', !dangers);
    if (self !== undefined) return;
    self = you;
    rooms.add('Harbour');
    rooms.add('Reef');
    rooms.enter('Harbour');
    story.tell('Turn on the traffic, here and in a second window; then break something and watch what is missing');
  },
  said(message) {
    const { room, author, n } = message;
    const verdict = ledger.take(room, author, n);
    if (author === self) ledger.returned(room, n);
    const isReplayed = story.isRecovering;
    pulse.count(isReplayed);
    messages.said(message, { isOwn: author === self, verdict, isReplayed });
    if (!message.isBeat) rooms.noticed(room);
  },
  came: ({ room, author, name }) => author !== self && messages.note(room, `${name} came in`),
  went: ({ room, author, name }) => author !== self && messages.note(room, `${name} left`),
  left({ room }) {
    ledger.leave(room);
    messages.forget(room);
    rooms.left(room);
  },
  refused: ({ what }) =>
    messages.note(rooms.current, `The server refused the ${what}: letters, digits and spaces, at most 24`, 'bad'),
  doing: () => undefined,
};

socket.addEventListener('open', () => tell({ type: 'hello', name: byId('name').value }));
socket.addEventListener('message', ({ data }) => {
  const message = JSON.parse(data);
  heard[message.type]?.(message);
});

// ------------------------------------------------------------------------------------------------------- what people do

byId('name').value = chosenName();
byId('name').addEventListener('change', ({ target }) => {
  target.value = chosenName(target.value);
  tell({ type: 'hello', name: target.value });
});
byId('say').addEventListener('submit', (event) => {
  event.preventDefault();
  const text = byId('text').value.trim();
  if (text) say(text, false);
  byId('text').value = '';
});
byId('new-room').addEventListener('submit', (event) => {
  event.preventDefault();
  const room = byId('room').value.trim();
  if (room) rooms.enter(room);
  byId('room').value = '';
});
byId('traffic').addEventListener('change', ({ target }) => traffic.run(target.checked));

byId('cut').addEventListener('click', () => {
  // Where the server resets no connection for us, the page can still lose its packets.
  const isSilent = byId('silently').checked || document.body.classList.contains('harmless');
  story.tell(isSilent ? 'You cut the network; nobody is told' : 'You cut the network: the connection is reset', 'act');
  if (!isSilent) tell({ type: 'danger', what: 'cut' });
  network.fail(DOWN_MS, { isSilent });
});
byId('kill').addEventListener('click', () => {
  story.tell(`You killed ${story.pod} with SIGKILL`, 'act');
  tell({ type: 'danger', what: 'kill' });
});
byId('restart').addEventListener('click', () => {
  story.tell('You restarted all pods in turn', 'act');
  tell({ type: 'danger', what: 'restart' });
});

setInterval(() => {
  strip.show();
  pulse.draw(story.isRecovering);
}, 200);
strip.show();
