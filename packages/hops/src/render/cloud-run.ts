import { type Environment, type Stickiness, formatDuration } from '@holdfast/policy';
import { hopOf, ownLabels, stickinessInWords } from './chain.js';
import { checkOneStickiness, type Notes, type Target, unsupported } from './target.js';
import { seconds } from './units.js';
import { noted, type Yaml, yaml } from './yaml.js';

const TIMEOUT_S_MAX = 3600;
const CONCURRENCY_MAX = 1000;

/** Of Cloud Run itself. */
const TIMEOUT_MS_DEFAULT = 300_000;

export const cloudRun: Target = {
  summary: 'a Cloud Run service: cpu, memory, timeout, affinity',
  fits: (env) => hopOf(env, 'cloud-run') !== undefined,
  render(env, notes) {
    return [{ path: `${env.service.name}.yaml`, text: yaml(service(env, notes)) }];
  },
};

function service(env: Environment, notes: Notes): Yaml {
  const { name, image, port } = env.service;
  if (image === undefined) throw unsupported('cloud-run', 'a service without an image', 'set service.image');
  notes.add(
    'Cloud Run has no preStop and no grace period: it kills an instance 10 s after SIGTERM, so drain.preStop and drain.grace are not rendered, and drain.deadline has to be shorter',
  );
  checkOneStickiness('cloud-run', env, 'Cloud Run');
  const isSticky = affinity(env.stickiness, notes);
  const { min, max } = env.rollout.autoscale ?? { min: env.rollout.replicas, max: env.rollout.replicas };
  return {
    apiVersion: 'serving.knative.dev/v1',
    kind: 'Service',
    metadata: { name, labels: ownLabels(env, 'cloud-run') },
    spec: {
      template: {
        metadata: {
          annotations: {
            'autoscaling.knative.dev/minScale': `${min}`,
            'autoscaling.knative.dev/maxScale': `${max}`,
            'run.googleapis.com/sessionAffinity': noted(`${isSticky}`, 'best effort, by a cookie of Cloud Run'),
            'run.googleapis.com/cpu-throttling': noted('false', 'pings and drains go on while no request is handled'),
          },
        },
        spec: {
          containerConcurrency: noted(
            Math.min(env.limits.connections, CONCURRENCY_MAX),
            `limits.connections, of which Cloud Run has at most ${CONCURRENCY_MAX}; a WebSocket is one`,
          ),
          timeoutSeconds: noted(
            timeoutS(env),
            'the longest life of a WebSocket, however busy: no ping helps, move it before',
          ),
          containers: [
            {
              image,
              ports: [
                { name: noted('http1', 'never h2c: HTTP/2 end to end has no Upgrade'), containerPort: port.targetPort },
              ],
              resources: { limits: limits(env) },
              startupProbe: { httpGet: { path: env.health.readyPath }, timeoutSeconds: seconds(env.health.timeoutMs) },
              livenessProbe: {
                httpGet: { path: env.health.livePath },
                periodSeconds: seconds(env.health.intervalMs),
                timeoutSeconds: seconds(env.health.timeoutMs),
              },
            },
          ],
        },
      },
    },
  };
}

function timeoutS(env: Environment): number {
  const timeoutMs = env.resources.requestMs ?? hopOf(env, 'cloud-run')?.clocksMs.get('lifetime') ?? TIMEOUT_MS_DEFAULT;
  if (seconds(timeoutMs) <= TIMEOUT_S_MAX) return seconds(timeoutMs);
  throw unsupported(
    'cloud-run',
    `a timeout of ${formatDuration(timeoutMs)}`,
    'it has at most 1h: set resources.request, and drain.maxAge below it',
  );
}

/** Cloud Run takes what a container may use, and has no requests beside it. */
function limits(env: Environment): Yaml {
  const { cpu, memory, cpuLimit, memoryLimit } = env.resources;
  return { cpu: cpuLimit ?? cpu ?? '1', memory: memoryLimit ?? memory ?? '512Mi' };
}

function affinity(stickiness: Stickiness, notes: Notes): boolean {
  if (stickiness.by === 'none') return false;
  if (stickiness.by === 'ip' || stickiness.by === 'header') {
    throw unsupported(
      'cloud-run',
      stickinessInWords(stickiness),
      'its affinity is by a cookie of its own: set stickiness to cookie or none',
    );
  }
  notes.add(
    `${stickinessInWords(stickiness)} is best effort on Cloud Run, by a cookie of its own name: sessions must survive another instance`,
  );
  return true;
}
