// What the soak serves: each message of a client is echoed by its handler, and everybody follows the news.
process.stdout.write(`worker ${process.pid}\n`);

/** @param {import('holdfast').ServeContext} context */
export default function serve({ wss }) {
  wss.on('connection', (socket) => {
    if (!socket.session.recovered) socket.subscribe('news', () => socket.send('ready'));
    socket.on('message', (/** @type {Buffer} */ data) => socket.send(data, { binary: false }));
  });
}
