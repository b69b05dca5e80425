// `node bench/servers/gateway.mjs CARRY PORT...`: a gateway in front of pods on these ports of the loopback. Prints where it listens.
import { Gateway } from '@holdfast/gateway';
import { parse, pick } from '@holdfast/policy';

const [carry, ...ports] = process.argv.slice(2);
const { policy, problems } = parse(`
name: bench
environments:
  development:
    hosts: ["127.0.0.1"]
    pods: [${ports.map((port) => `"127.0.0.1:${port}"`).join(', ')}]
    routes: [{ websocket: /, carry: ${carry} }]
    stickiness: least
    limits: { connections: 100000, connectionsPerAddress: 100000, acceptsPerSecond: 100000 }
    health: { check: off, failTimeout: 1s, slowStart: 1s }
    gateway: { listen: ["127.0.0.1:0"], accessLog: off }
`);
if (!policy) throw new Error(JSON.stringify(problems));
const gateway = new Gateway(pick(policy, 'development'));
await gateway.start();
console.log(`listening on ${gateway.addresses[0]?.port}`);
process.once('SIGTERM', () => void gateway.close().then(() => process.exit(0)));
