// What no server should let a visitor do, for the three buttons of the page. It is there only where the server can be reached from
// this machine alone, or where CHAT_DANGERS=on says that it is wanted all the same (CHAT_DANGERS=off: that it is not).

/**
 * @param {import('holdfast').ServeContext['wss']} wss
 * @param {import('holdfast').ServePod} pod
 * @returns {string[]} what visitors may do
 */
export function addDangers(wss, pod) {
  const wanted = process.env['CHAT_DANGERS'];
  const isLocal = /^(?:localhost|127\..+|::1)$/.test(pod.host);
  if (wanted === 'off' || (!isLocal && wanted !== 'on')) return [];

  /** The TCP connection of each session's newest transport. A client that comes back names its session in the URL. */
  const connections = new Map();
  wss.on('headers', (_headers, request) => {
    const id = new URL(request.url, 'http://localhost').searchParams.get('hf');
    if (id !== null) remember(id, request.socket);
  });
  wss.on('connection', ({ session }, request) => {
    if (!session.recovered) remember(session.id, request.socket);
  });
  function remember(id, connection) {
    connections.set(id, connection);
    connection.once('close', () => {
      if (connections.get(id) === connection) connections.delete(id);
    });
  }

  const dangers = {
    /** Nothing is said to the WebSocket at either end: the connection is gone, as when a router forgets it. */
    cut: ({ session }) => connections.get(session.id)?.resetAndDestroy(),
    kill: () => process.kill(process.pid, 'SIGKILL'),
    restart: () => pod.restartAll(),
  };
  wss.on('danger', (what, socket) => {
    // When the answer is in the store, so is the watermark: the message that killed a pod is not given to the next one.
    socket.send(JSON.stringify({ type: 'doing', what }), () => dangers[what](socket));
  });
  return Object.keys(dangers);
}
