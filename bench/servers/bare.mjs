// `node bench/servers/bare.mjs PORT`: passes bytes between its clients and a port of the loopback, and knows nothing of them: the least that a proxy
// in Node does. Prints where it listens.
import { connect, createServer } from 'node:net';

const port = Number(process.argv[2]);
const server = createServer({ noDelay: true }, (client) => {
  const pod = connect({ host: '127.0.0.1', port, noDelay: true });
  for (const [from, to] of [
    [client, pod],
    [pod, client],
  ]) {
    from.on('data', (chunk) => {
      if (!to.write(chunk)) from.pause();
    });
    to.on('drain', () => from.resume());
    from.on('error', () => to.destroy());
    from.on('close', () => to.destroy());
  }
});
server.listen(0, '127.0.0.1', 4_096, () => console.log(`listening on ${server.address().port}`));
