// A chat for `holdfast serve`: rooms are topics, and whatever a handler does commits together with the message that it handles.
import { join } from 'node:path';
import { addDangers } from './dangers.mjs';
import { serveFiles } from './files.mjs';

const NAME = /^[\p{L}\p{N}][\p{L}\p{N} .'_-]{0,23}$/u;
const TEXT_LENGTH = 2_000;
const ROOMS_MAX = 20;

/** @type {import('holdfast').ServeModule} */
export default function chat({ wss, http, pod }) {
  http.on(
    'request',
    serveFiles({
      folder: join(import.meta.dirname, 'page'),
      // The client as one file, from the package's build. A page with a bundler imports '@holdfast/client' instead.
      more: { '/holdfast.min.js': join(import.meta.dirname, '../../packages/client/dist/holdfast.min.js') },
    }),
  );
  const dangers = addDangers(wss, pod);

  // Called for a session that begins, and for one that comes here from another pod: then it has its topics and its data already.
  wss.on('connection', (socket) => {
    const { session } = socket;
    const tell = (message) => socket.send(JSON.stringify(message));
    const publish = (room, message) => wss.publish(topicOf(room), JSON.stringify({ room, ...message }));
    const author = () => ({ author: session.id, name: session.data.name ?? 'somebody' });
    const rooms = () => session.data.rooms ?? [];

    const handlers = {
      hello({ name }) {
        if (!NAME.test(name)) return tell({ type: 'refused', what: 'name' });
        session.data.name = name;
        return tell({ type: 'welcome', you: session.id, dangers: dangers.length > 0 });
      },
      join({ room }) {
        if (!NAME.test(room) || rooms().length >= ROOMS_MAX) return tell({ type: 'refused', what: 'room' });
        if (rooms().includes(room)) return undefined;
        session.data.rooms = [...rooms(), room];
        socket.subscribe(topicOf(room));
        return publish(room, { type: 'came', ...author() });
      },
      leave({ room }) {
        if (!rooms().includes(room)) return undefined;
        session.data.rooms = rooms().filter((one) => one !== room);
        publish(room, { type: 'went', ...author() });
        socket.unsubscribe(topicOf(room));
        // Behind all that the room has sent: what comes after it is of another stay.
        return tell({ type: 'left', room });
      },
      say({ room, n, text, isBeat }) {
        const isSound = Number.isSafeInteger(n) && typeof text === 'string' && text.length <= TEXT_LENGTH;
        if (!isSound || !rooms().includes(room)) return tell({ type: 'refused', what: 'message' });
        return publish(room, {
          type: 'said',
          ...author(),
          n,
          text,
          isBeat: isBeat === true,
          pod: pod.id,
          atMs: Date.now(),
        });
      },
      danger({ what }) {
        if (dangers.includes(what)) wss.emit('danger', what, socket);
      },
    };

    socket.on('message', (data) => {
      const message = parse(data);
      if (Object.hasOwn(handlers, message.type)) handlers[message.type](message);
    });
    socket.on('close', (_code, reason) => {
      // Taken over by another pod, where it goes on.
      if (String(reason) === 'HF_FENCED') return;
      for (const room of rooms()) publish(room, { type: 'went', ...author() });
    });
  });
}

const topicOf = (room) => `room:${room}`;

function parse(data) {
  try {
    return Object(JSON.parse(String(data)));
  } catch {
    return {};
  }
}
