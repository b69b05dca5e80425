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

  /** The TCP connection of each session's newest transport, and its name at the gateway. A client that comes back names its session in the URL. */
  const connections = new Map();
  wss.on('headers', (_headers, request) => {
    const id = new URL(request.url, 'http://localhost').searchParams.get('hf');
    if (id !== null) remember(id, request);
  });
  wss.on('connection', ({ session }, request) => {
    if (session.recovered) return;
    // The gateway may lead it to another pod on the connection that it has.
    session.data.connection = request.headers['x-request-id'];
    remember(session.id, request);
  });
  function remember(id, { socket, headers }) {
    const connection = { socket, name: headers['x-request-id'] };
    connections.set(id, connection);
    socket.once('close', () => {
      if (connections.get(id) === connection) connections.delete(id);
    });
  }

  /** Behind a gateway the client's connection ends there, so the gateway is asked to cut it. */
  function cut({ session }) {
    const connection = connections.get(session.id);
    const gateway = process.env['CHAT_GATEWAY'];
    if (gateway === undefined) return connection?.socket.resetAndDestroy();
    const name = encodeURIComponent(connection?.name ?? session.data.connection ?? '');
    const headers = { authorization: `Bearer ${process.env['CHAT_GATEWAY_TOKEN']}` };
    return fetch(`${gateway}/connections/${name}`, { method: 'DELETE', headers }).catch(() => undefined);
  }

  /** Whoever runs several pods restarts all of them; a process that runs them itself is asked by its own way. */
  function restart() {
    const supervisor = Number(process.env['CHAT_SUPERVISOR']);
    if (supervisor > 0) process.kill(supervisor, 'SIGHUP');
    else pod.restartAll();
  }

  const dangers = {
    /** Nothing is said to the WebSocket at either end: the connection is gone, as when a router forgets it. */
    cut,
    kill: () => process.kill(process.pid, 'SIGKILL'),
    restart,
  };
  wss.on('danger', (what, socket) => {
    // When the answer is in the store, so is the watermark: the message that killed a pod is not given to the next one.
    socket.send(JSON.stringify({ type: 'doing', what }), () => dangers[what](socket));
  });
  return Object.keys(dangers);
}
