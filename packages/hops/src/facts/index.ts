import type { Environment, Hop, HopKind, Link } from '@holdfast/policy';
import { apache } from './apache.js';
import { awsAlb } from './aws-alb.js';
import { awsApiGateway } from './aws-api-gateway.js';
import { awsClb } from './aws-clb.js';
import { awsNlb } from './aws-nlb.js';
import { azureAppGateway } from './azure-app-gateway.js';
import { azureFrontDoor } from './azure-front-door.js';
import { azureLb } from './azure-lb.js';
import { caddy } from './caddy.js';
import { cloudRun } from './cloud-run.js';
import { cloudflare } from './cloudflare.js';
import { cloudfront } from './cloudfront.js';
import { conntrack } from './conntrack.js';
import { envoy } from './envoy.js';
import { envoyGateway } from './envoy-gateway.js';
import { fly } from './fly.js';
import { gatewayApi } from './gateway-api.js';
import { gcpClassicAlb } from './gcp-classic-alb.js';
import { gcpGlobalAlb } from './gcp-global-alb.js';
import { gcpRegionalAlb } from './gcp-regional-alb.js';
import { haproxy } from './haproxy.js';
import { heroku } from './heroku.js';
import { holdfastGateway } from './holdfast-gateway.js';
import { ingressNginx } from './ingress-nginx.js';
import { istio } from './istio.js';
import { kubeProxy } from './kube-proxy.js';
import { nat } from './nat.js';
import { nginx } from './nginx.js';
import { nginxGatewayFabric } from './nginx-gateway-fabric.js';
import { nginxIngress } from './nginx-ingress.js';
import { nginxStream } from './nginx-stream.js';
import { render } from './render.js';
import { traefik } from './traefik.js';
import { vercel } from './vercel.js';

/** Everything that is known of every kind of hop. A policy names them, and their clocks, with the same words. */
export const HOPS: Readonly<Record<HopKind, Hop>> = {
  nginx,
  'nginx-stream': nginxStream,
  'ingress-nginx': ingressNginx,
  'nginx-ingress': nginxIngress,
  'nginx-gateway-fabric': nginxGatewayFabric,
  haproxy,
  envoy,
  'envoy-gateway': envoyGateway,
  istio,
  traefik,
  caddy,
  apache,
  'aws-alb': awsAlb,
  'aws-clb': awsClb,
  'aws-nlb': awsNlb,
  'aws-api-gateway': awsApiGateway,
  cloudfront,
  'gcp-classic-alb': gcpClassicAlb,
  'gcp-global-alb': gcpGlobalAlb,
  'gcp-regional-alb': gcpRegionalAlb,
  'cloud-run': cloudRun,
  'azure-front-door': azureFrontDoor,
  'azure-app-gateway': azureAppGateway,
  'azure-lb': azureLb,
  cloudflare,
  heroku,
  fly,
  render,
  vercel,
  'kube-proxy': kubeProxy,
  conntrack,
  nat,
  'gateway-api': gatewayApi,
  'holdfast-gateway': holdfastGateway,
};

export const factsOf = (kind: string): Hop | undefined =>
  Object.hasOwn(HOPS, kind) ? HOPS[kind as HopKind] : undefined;

/** The hops of an environment that are known, from the client on. */
export const linksOf = ({ hops }: Environment): Link[] =>
  hops.flatMap((use) => {
    const hop = factsOf(use.kind);
    return hop ? [{ use, hop }] : [];
  });
