import { readEnvoy } from '../../envoy/configuration.js';
import { Cluster } from '../../kube/cluster.js';
import { isRecord, readManifests } from '../../kube/manifest.js';
import type { Source } from '../../source.js';
import { webSocketPaths } from '../context.js';
import type { Dialect, ReadProblem } from '../dialect.js';
import { looksLikeWebSocket } from '../paths.js';
import { cloudRules } from './clouds.js';
import { envoyRules } from './envoy.js';
import { ingressAffinity } from './ingress-affinity.js';
import { ingressNames } from './ingress-names.js';
import { ingressSnippets } from './ingress-snippets.js';
import { ingressTimeouts } from './ingress-timeouts.js';
import { kubeRule, type KubeUnit } from './kube-rule.js';
import { routeRules } from './routes.js';
import { serviceRules } from './services.js';
import { workloadRules } from './workloads.js';

const NAMED = /\.(?:ya?ml|json)$/i;
/** What makes YAML ours: an object of Kubernetes, Envoy's sections, an ARM template, services of compose. */
const MARKS =
  /(?:^|[{,])[ \t]*["']?(?:apiVersion|kind|static_resources|dynamic_resources|resources|services)["']?[ \t]*:/m;
const HEAD_CHARS = 65_536;

/** Of what was not judged so many are named. */
const NAMES_MAX = 3;

/** A template is text with holes in it, not YAML: its output is what a cluster sees. */
const TEMPLATE = /\{\{-?\s*(?:\.Values|include|template|if|range|with|define|end)\b/;

const isTemplate = ({ text }: Source): boolean => TEMPLATE.test(text.slice(0, HEAD_CHARS));

function isManifest(source: Source): boolean {
  const head = source.text.slice(0, HEAD_CHARS);
  if (NAMED.test(source.path)) return MARKS.test(head);
  return source.path.startsWith('<') && MARKS.test(head);
}

/** Where some workload is known to carry WebSockets, the others are taken not to. */
function unjudgedOf({ workloads, otherWorkloads }: Cluster): string[] {
  if (workloads.length > 0 || otherWorkloads.length === 0) return [];
  const names = otherWorkloads.slice(0, NAMES_MAX).map(({ kind, name }) => `${kind} ${name}`);
  const more = otherWorkloads.length - names.length;
  const all = more > 0 ? `${names.join(', ')} and ${more} more` : names.join(', ');
  return [
    `not judged, as nothing says that WebSockets reach them: ${all} (an Ingress or a route with their path does, or a policy that names the Service)`,
  ];
}

export const kubernetes: Dialect<KubeUnit> = {
  name: 'kubernetes',
  recognises: isManifest,
  read(sources, context) {
    const problems: ReadProblem[] = [];
    const manifests = sources.flatMap((source) => {
      if (isTemplate(source)) {
        const message =
          'this is a template of Helm: lint what it renders, with `helm template CHART | holdfast lint -`';
        problems.push({ kind: 'unreadable', source, offset: 0, message });
        return [];
      }
      const read = readManifests(source);
      problems.push(...read.problems.map((problem) => ({ kind: 'syntax' as const, source, ...problem })));
      return read.manifests.filter(({ object }) => isRecord(object));
    });
    const paths = webSocketPaths(context);
    const services = context.environments.map(({ service }) => service.name);
    const cluster = new Cluster(manifests, { paths, services, looksLikeWebSocket });
    const isWebSocket = (path: string): boolean => cluster.isWebSocketPath(path);
    return {
      units: [{ cluster, envoy: readEnvoy(manifests, { paths, looksLikeWebSocket: isWebSocket }) }],
      problems,
      unjudged: unjudgedOf(cluster),
    };
  },
  rules: [
    ...ingressNames,
    ...ingressTimeouts,
    ...ingressSnippets,
    ...ingressAffinity,
    ...workloadRules,
    ...serviceRules,
    ...routeRules,
    ...envoyRules,
    ...cloudRules,
  ].map(kubeRule),
};
