import { type Environment, type HopUse, formatDuration } from '@holdfast/policy';
import { clockOf, groupBy, hopOf, isOn, optionOf, ownLabels, stickinessInWords, frontService } from './chain.js';
import { checkOneStickiness, type Notes, type Target, unsupported } from './target.js';
import { mostSpecificFirst, seconds } from './units.js';
import { noted, type Yaml, yaml } from './yaml.js';

const ALB = 'alb.ingress.kubernetes.io';
const NLB = 'service.beta.kubernetes.io/aws-load-balancer';

const ALB_IDLE_S_MAX = 4000;
const NLB_IDLE_S = { min: 60, max: 6000 };
const STICKY_S_MAX = 604_800;

export const aws: Target = {
  summary: 'annotations of the AWS Load Balancer Controller: an ALB Ingress, an NLB Service',
  fits: (env) => hopOf(env, 'aws-alb', 'aws-nlb') !== undefined,
  render(env, notes) {
    const nlb = hopOf(env, 'aws-nlb');
    const alb =
      hopOf(env, 'aws-alb') ??
      (nlb ? undefined : { kind: 'aws-alb', name: 'aws-alb', clocksMs: new Map(), options: new Map() });
    return [
      ...(alb ? [{ path: `${env.service.name}-alb.yaml`, text: yaml(albIngress(env, alb, notes)) }] : []),
      ...(nlb ? [{ path: `${env.service.name}-nlb.yaml`, text: yaml(nlbService(env, nlb, notes)) }] : []),
    ];
  },
};

/** The longest silence that a route allows. One load balancer has one idle timeout. */
function idleMs(env: Environment, hop: HopUse): number {
  return clockOf(hop, 'idle') ?? Math.max(...env.routes.map(({ readMs }) => readMs), 60_000);
}

function albIngress(env: Environment, hop: HopUse, notes: Notes): Yaml {
  const idleS = seconds(idleMs(env, hop));
  if (idleS > ALB_IDLE_S_MAX) {
    throw unsupported(
      'aws',
      `an idle timeout of ${formatDuration(idleS * 1000)}`,
      `an ALB has at most ${ALB_IDLE_S_MAX} s: lower read of the routes, or set the clock idle of aws-alb`,
    );
  }
  const certificate = optionOf(hop, 'certificate');
  if (env.tls && certificate === undefined) {
    notes.add(
      'the ALB finds its certificate in ACM by host name; alb.ingress.kubernetes.io/certificate-arn would name one',
    );
  }
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: {
      name: `${env.service.name}-alb`,
      namespace: env.namespace,
      labels: ownLabels(env, 'aws'),
      annotations: {
        [`${ALB}/target-type`]: noted(
          'ip',
          'pods themselves: stickiness is to a pod, and none goes through another node',
        ),
        [`${ALB}/scheme`]: optionOf(hop, 'scheme') ?? 'internet-facing',
        [`${ALB}/listen-ports`]: env.tls ? '[{"HTTP":80},{"HTTPS":443}]' : '[{"HTTP":80}]',
        [`${ALB}/ssl-redirect`]: env.tls && '443',
        [`${ALB}/certificate-arn`]: certificate,
        [`${ALB}/load-balancer-attributes`]: noted(
          `idle_timeout.timeout_seconds=${idleS}`,
          'silence of both directions; TCP keepalive does not count, a WebSocket ping does',
        ),
        [`${ALB}/target-group-attributes`]: noted(
          [`deregistration_delay.timeout_seconds=${deregistrationS(env, hop)}`, ...albStickiness(env, notes)].join(','),
          'the delay is preStop and drain: nothing is cut before',
        ),
        ...albHealth(env),
      },
    },
    spec: {
      ingressClassName: optionOf(hop, 'class') ?? 'alb',
      rules: albRules(env),
    },
  };
}

const albHealth = (env: Environment): { readonly [name: string]: Yaml } => ({
  [`${ALB}/healthcheck-path`]: env.health.readyPath,
  [`${ALB}/healthcheck-interval-seconds`]: `${Math.max(5, seconds(env.health.intervalMs))}`,
  [`${ALB}/healthcheck-timeout-seconds`]: `${Math.max(2, Math.min(seconds(env.health.timeoutMs), seconds(env.health.intervalMs) - 1))}`,
  [`${ALB}/healthy-threshold-count`]: '2',
  [`${ALB}/unhealthy-threshold-count`]: `${Math.min(10, Math.max(2, env.health.maxFails))}`,
});

function albRules(env: Environment): Yaml {
  const hosts = env.hosts.length > 0 ? env.hosts : [undefined];
  return hosts.map((host) => ({
    host,
    http: {
      paths: mostSpecificFirst(env.routes)
        .filter((route) => host === undefined || isOn(route, host))
        .map((route) => ({
          path: route.path,
          pathType: route.match === 'exact' ? 'Exact' : 'Prefix',
          backend: { service: { name: frontService(env), port: { number: route.port.port } } },
        })),
    },
  }));
}

function deregistrationS(env: Environment, hop: HopUse): number {
  return seconds(clockOf(hop, 'deregistration') ?? env.drain.preStopMs + env.drain.deadlineMs);
}

/** `lb_cookie` has the load balancer's name; a cookie of the policy's name must come from the application. */
function albStickiness(env: Environment, notes: Notes): string[] {
  checkOneStickiness('aws', env, 'the target group of an ALB');
  const { stickiness } = env;
  if (stickiness.by === 'none') {
    return [
      `load_balancing.algorithm.type=${stickiness.balance === 'least' ? 'least_outstanding_requests' : 'round_robin'}`,
    ];
  }
  if (stickiness.by !== 'cookie') {
    throw unsupported('aws', `${stickinessInWords(stickiness)} at an ALB`, 'an ALB sticks by cookie only');
  }
  const { name, maxAgeMs } = stickiness.cookie;
  const lifeS = maxAgeMs === undefined ? 86_400 : seconds(maxAgeMs);
  if (lifeS > STICKY_S_MAX) throw unsupported('aws', `a cookie of ${lifeS} s`, `an ALB has at most ${STICKY_S_MAX}`);
  notes.add(`the cookie is AWS's own, AWSALB, not ${name}, and so are its path, domain, SameSite and other attributes`);
  if (maxAgeMs === undefined) notes.add('the cookie lives for a day: an ALB has none that ends with the browser');
  return ['stickiness.enabled=true', 'stickiness.type=lb_cookie', `stickiness.lb_cookie.duration_seconds=${lifeS}`];
}

function nlbService(env: Environment, hop: HopUse, notes: Notes): Yaml {
  const idleS = seconds(idleMs(env, hop));
  if (idleS > NLB_IDLE_S.max) {
    throw unsupported(
      'aws',
      `an idle timeout of ${formatDuration(idleS * 1000)}`,
      `an NLB has at most ${NLB_IDLE_S.max} s: lower read of the routes, or set the clock idle of aws-nlb`,
    );
  }
  const next = env.hops.slice(env.hops.indexOf(hop) + 1).find(({ kind }) => kind !== 'kube-proxy');
  if (!next) checkOneStickiness('aws', env, 'the target group of an NLB');
  if (next)
    notes.add(`the NLB leads to ${next.name}: take these annotations over to its Service, which its own chart makes`);
  else if (env.stickiness.by !== 'none' && env.stickiness.by !== 'ip') {
    throw unsupported(
      'aws',
      `${stickinessInWords(env.stickiness)} at an NLB`,
      'it sees no HTTP, and sticks by address only',
    );
  }
  const ports = next
    ? [env.tls ? 443 : 80]
    : groupBy(env.routes, ({ port }) => port.name).map(([route]) => route?.port.port ?? 80);
  const hasProxyHeader = hop.options.get('proxyProtocol') === true;
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name: `${env.service.name}-nlb`,
      namespace: env.namespace,
      labels: ownLabels(env, 'aws'),
      annotations: {
        [`${NLB}-type`]: 'external',
        [`${NLB}-nlb-target-type`]: 'ip',
        [`${NLB}-scheme`]: optionOf(hop, 'scheme') ?? 'internet-facing',
        ...Object.fromEntries(
          ports.map((port) => [
            `${NLB}-listener-attributes.TCP-${port}`,
            noted(
              `tcp.idle_timeout.seconds=${Math.max(NLB_IDLE_S.min, idleS)}`,
              'any packet counts; at its end nothing is told to either side, so both must ping',
            ),
          ]),
        ),
        [`${NLB}-target-group-attributes`]: [
          `deregistration_delay.timeout_seconds=${deregistrationS(env, hop)}`,
          ...(hasProxyHeader ? ['proxy_protocol_v2.enabled=true'] : ['preserve_client_ip.enabled=true']),
          ...(env.stickiness.by === 'ip' && !next ? ['stickiness.enabled=true', 'stickiness.type=source_ip'] : []),
        ].join(','),
        [`${NLB}-healthcheck-protocol`]: 'http',
        [`${NLB}-healthcheck-path`]: env.health.readyPath,
      },
    },
    spec: {
      type: 'LoadBalancer',
      externalTrafficPolicy: noted('Local', 'keeps the address of the client'),
      selector: { 'app.kubernetes.io/name': next?.name ?? env.service.name },
      ports: ports.map((port) => ({
        name: `p${port}`,
        port,
        targetPort: next
          ? env.service.port.targetPort
          : (env.service.ports.find((own) => own.port === port)?.targetPort ?? port),
        protocol: 'TCP',
      })),
    },
  };
}
