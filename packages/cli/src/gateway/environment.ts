import { detectEnvironment, loadPolicy, parse, pick, type Environment } from '@holdfast/policy';
import { errors, HoldfastError } from '@holdfast/store';
import type { Balance, GatewayCommandOptions } from '../gateway-command.js';

/** What the gateway is to do, from a policy or from flags. Throws `HF_POLICY`, `HF_OPTION`. */
export async function environmentFor(options: GatewayCommandOptions): Promise<Environment> {
  if (options.file === undefined) return fromFlags(options);
  const { policy } = await loadPolicy(options.file, { environment: options.env });
  return detectEnvironment(policy, options.env).environment;
}

const STICKINESS: Readonly<Record<Balance, unknown>> = {
  session: 'session',
  header: { header: 'X-Session-Id' },
  // There is no TLS here, and a browser gives a cookie that is secure to https alone.
  cookie: { cookie: { name: 'holdfast', secure: false, sameSite: 'lax' } },
  ip: 'ip',
  'round-robin': 'round-robin',
  least: 'least',
};

/** As a policy would say it, so that every default is the policy's. */
function fromFlags(options: GatewayCommandOptions): Environment {
  const { to, balance, carry, admin, adminTokenFile, json } = options;
  const listen = options.listen.length > 0 ? options.listen : ['127.0.0.1:8080'];
  const written = {
    name: 'gateway',
    environments: {
      development: {
        hosts: ['*'],
        service: 'pods',
        pods: to,
        stickiness: STICKINESS[balance],
        routes: [{ websocket: '/', carry }],
        drain: { propagation: '0s' },
        gateway: {
          listen,
          accessLog: json ? 'json' : 'nginx',
          ...(admin !== undefined && {
            admin: { address: admin, ...(adminTokenFile !== undefined && { tokenFile: adminTokenFile }) },
          }),
        },
      },
    },
  };
  const loaded = parse(JSON.stringify(written), { path: 'the command line', environment: 'development' });
  if (loaded.policy) return pick(loaded.policy, 'development');
  throw new HoldfastError(errors.OPTION, loaded.problems.map(({ message }) => message).join('; '));
}
