import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startProcess } from '@holdfast/testing';

const command = join(import.meta.dirname, '../packages/cli/dist/main.js');
const kubectl = join(import.meta.dirname, 'fixtures/kubectl.mjs');
const POLICY = join(import.meta.dirname, '../examples/policies/smart-glasses.yaml');

export const NGINX = 'nginx.ingress.kubernetes.io';

/** What a cluster holds before holdfast comes: a controller, and the Ingress of the application's Helm release. */
export const PLATFORM = {
  controller: {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: 'ingress-nginx-controller-7d4b9c-x2x5k',
      namespace: 'ingress-nginx',
      labels: { 'app.kubernetes.io/name': 'ingress-nginx', 'app.kubernetes.io/component': 'controller' },
    },
    status: { phase: 'Running' },
  },
  application: ingress('cloud-prod-cloud', '/', {
    labels: { 'app.kubernetes.io/managed-by': 'Helm', 'helm.sh/chart': 'cloud-1.4.2' },
    annotations: { 'meta.helm.sh/release-name': 'cloud-prod', [`${NGINX}/proxy-read-timeout`]: '90' },
    managedFields: [{ manager: 'helm', operation: 'Update', apiVersion: 'networking.k8s.io/v1' }],
  }),
} as const;

/** An Ingress of somebody on the hosts of the policy. */
export function ingress(name: string, path: string, metadata: object): Readonly<Record<string, unknown>> {
  const backend = { service: { name: 'cloud-prod-cloud', port: { number: 80 } } };
  const rules = ['global.augmentos.cloud', 'api.mentra.glass'].map((host) => ({
    host,
    http: { paths: [{ path, pathType: 'Prefix', backend }] },
  }));
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { name, namespace: 'default', ...metadata },
    spec: { ingressClassName: 'nginx', rules },
  };
}

export interface ClusterState {
  objects: readonly unknown[];
  configMap?: Readonly<Record<string, string>>;
  /** What the controller has last loaded, if it has not reloaded since. */
  loaded?: readonly unknown[];
  /** Every call fails with this. */
  broken?: string;
  /** Every `get` prints this. */
  answer?: string;
}

export interface LiveMetadata {
  readonly name: string;
  readonly annotations: Record<string, string>;
  readonly labels: Record<string, string>;
  readonly managedFields: object[];
}

export interface LiveObject {
  readonly kind: string;
  readonly metadata: LiveMetadata;
}

export interface Ran {
  readonly code: number | null;
  readonly out: string;
  readonly error: string;
}

/** A scripted cluster in a file, and the command in front of it. */
export class ScriptedCluster {
  readonly #folder = mkdtempSync(join(tmpdir(), 'holdfast-cluster-'));
  readonly #file = join(this.#folder, 'cluster.json');

  constructor(state: ClusterState = { objects: Object.values(PLATFORM) }) {
    this.set(state);
  }

  set(state: ClusterState): void {
    writeFileSync(this.#file, JSON.stringify(state));
  }

  /** Changes what the cluster holds, behind holdfast's back. */
  change(name: string, edit: (metadata: LiveMetadata) => void): void {
    const { objects } = this.state;
    const object = objects.find(({ metadata }) => metadata.name === name);
    if (!object) throw new Error(`there is no ${name}`);
    edit(object.metadata);
    this.set({ objects });
  }

  /** The same objects, behind a controller that does not reload any more. */
  stop(): void {
    const { objects } = this.state;
    this.set({ objects, loaded: objects });
  }

  get state(): { readonly objects: LiveObject[] } {
    return JSON.parse(readFileSync(this.#file, 'utf8')) as { objects: LiveObject[] };
  }

  get ingresses(): string[] {
    return this.state.objects.filter(({ kind }) => kind === 'Ingress').map(({ metadata }) => metadata.name);
  }

  /** Every call of kubectl so far. */
  get calls(): string[][] {
    const file = `${this.#file}.calls`;
    if (!existsSync(file)) return [];
    return readFileSync(file, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as string[]);
  }

  /** Runs `holdfast VERB --env prod` with the flags. */
  async holdfast(verb: string, ...flags: string[]): Promise<Ran> {
    const args = [
      verb,
      '-f',
      POLICY,
      '--env',
      'prod',
      '--timeout',
      '1s',
      '--kubectl',
      `"${process.execPath}" "${kubectl}"`,
      ...flags,
    ];
    const child = await startProcess({
      command: process.execPath,
      args: [command, ...args],
      env: { HOLDFAST_TEST_CLUSTER: this.#file },
    });
    const { code } = await child.exited;
    return { code, out: String(child.stdout), error: String(child.stderr) };
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
