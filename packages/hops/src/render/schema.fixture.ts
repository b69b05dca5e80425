import { createRequire } from 'node:module';
import { join } from 'node:path';
import ts from 'typescript';
import type { Manifest } from './worked.fixture.js';

const root = join(import.meta.dirname, '../../../..');
const require = createRequire(import.meta.url);

type Models = Record<string, new (data: Manifest) => { validate(): void }>;

/** The models of each API version that is rendered, and the module that they and their types are in. */
const MODELS: Readonly<Record<string, readonly [module: string, load: () => Models]>> = {
  v1: ['kubernetes-models/v1', () => require('kubernetes-models/v1') as Models],
  'apps/v1': ['kubernetes-models/apps/v1', () => require('kubernetes-models/apps/v1') as Models],
  'autoscaling/v2': ['kubernetes-models/autoscaling/v2', () => require('kubernetes-models/autoscaling/v2') as Models],
  'policy/v1': ['kubernetes-models/policy/v1', () => require('kubernetes-models/policy/v1') as Models],
  'rbac.authorization.k8s.io/v1': [
    'kubernetes-models/rbac.authorization.k8s.io/v1',
    () => require('kubernetes-models/rbac.authorization.k8s.io/v1') as Models,
  ],
  'networking.k8s.io/v1': [
    'kubernetes-models/networking.k8s.io/v1',
    () => require('kubernetes-models/networking.k8s.io/v1') as Models,
  ],
  'gateway.networking.k8s.io/v1': [
    '@kubernetes-models/gateway-api/gateway.networking.k8s.io/v1',
    () => require('@kubernetes-models/gateway-api/gateway.networking.k8s.io/v1') as Models,
  ],
  'networking.istio.io/v1beta1': [
    '@kubernetes-models/istio/networking.istio.io/v1beta1',
    () => require('@kubernetes-models/istio/networking.istio.io/v1beta1') as Models,
  ],
};

export const hasModel = ({ apiVersion }: Manifest): boolean => Object.hasOwn(MODELS, apiVersion);

/** Judges an object by the schema of its kind. It allows members that the schema does not know; {@link typeProblems} does not. */
export function validate(manifest: Manifest): void {
  const models = MODELS[manifest.apiVersion]?.[1]();
  const Model = models?.[manifest.kind];
  if (!Model) throw new Error(`no model of ${manifest.apiVersion} ${manifest.kind}`);
  new Model(manifest).validate();
}

/**
 * What TypeScript says of objects as literals of the types of their kinds: a member that the type does not have is an error, as it is
 * for an API server that validates strictly.
 */
export function typeProblems(manifests: readonly Manifest[]): string[] {
  const lines = manifests.map((manifest, i) => {
    const type = `import('${MODELS[manifest.apiVersion]?.[0]}').I${manifest.kind}`;
    return `export const m${i}: ${type} = ${JSON.stringify(manifest)};`;
  });
  const name = join(root, 'packages/hops/src/render/judged.ts');
  const options: ts.CompilerOptions = {
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    target: ts.ScriptTarget.ES2022,
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    types: [],
  };
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists, readFile } = host;
  const text = lines.join('\n');
  host.fileExists = (path) => path === name || fileExists(path);
  host.readFile = (path) => (path === name ? text : readFile(path));
  host.getSourceFile = (path, ...rest) =>
    path === name ? ts.createSourceFile(name, text, ts.ScriptTarget.ES2022, true) : getSourceFile(path, ...rest);
  const program = ts.createProgram([name], options, host);
  return ts.getPreEmitDiagnostics(program).map(({ file, start = 0, messageText }) => {
    const at = file?.getLineAndCharacterOfPosition(start).line ?? 0;
    const manifest = manifests[at];
    return `${manifest?.kind} ${manifest?.metadata.name}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`;
  });
}
