import { spawn } from 'node:child_process';
import { errors, HoldfastError } from '@holdfast/store';

/** What a run of kubectl gave. */
export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command to its end. A test's own stands in for it. */
export type RunCommand = (command: readonly string[], input: string, timeoutMs: number) => Promise<Ran>;

/** Longest answer that is read: the largest nginx.conf of a controller is a tenth of it. */
const OUTPUT_BYTES_MAX = 67_108_864;
/** Longest run of one call; a cluster that does not answer at all is told sooner by kubectl itself. */
const CALL_MS = 60_000;

/** An object as the API server knows it, as far as it is looked at here. */
export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly managedFields?: readonly ManagedFields[];
  };
  readonly [field: string]: unknown;
}

export interface ManagedFields {
  readonly manager: string;
  readonly operation: string;
  readonly subresource?: string;
  readonly fieldsV1?: WrittenFields;
}

/** Names of the fields that a manager has written, each with those inside of it. */
export interface WrittenFields {
  readonly [field: string]: WrittenFields;
}

/** Which object is meant: `ingress.networking.k8s.io`, its name, its namespace. */
export interface ObjectName {
  readonly kind: string;
  readonly name: string;
  readonly namespace: string;
}

/** The name under which the API server keeps what holdfast has set. */
export const FIELD_MANAGER = 'holdfast';

/**
 * The cluster, through the `kubectl` of whoever runs the command: it has the credentials, the context and the plugins, so none of
 * them need to be known here.
 */
export class Kubectl {
  readonly #command: readonly string[];
  readonly #run: RunCommand;

  /** `commandLine`: `kubectl`, or a wrapper with its arguments, such as `porter kubectl --`. */
  constructor(commandLine: string, run: RunCommand = runCommand) {
    this.#command = wordsOf(commandLine);
    this.#run = run;
  }

  /** The object, or undefined where there is none. */
  async get({ kind, name, namespace }: ObjectName): Promise<KubeObject | undefined> {
    const flags = ['-o', 'json', '--show-managed-fields', '--ignore-not-found'];
    const text = await this.#answer(['get', kind, name, '-n', namespace, ...flags]);
    return text.trim() === '' ? undefined : objectIn(parse(text));
  }

  /** All objects of a kind that carry the labels, in one namespace or in all. */
  async list(kind: string, selector: string, namespace?: string): Promise<readonly KubeObject[]> {
    const where = namespace === undefined ? ['-A'] : ['-n', namespace];
    const select = selector === '' ? [] : ['-l', selector];
    const text = await this.#answer(['get', kind, ...where, ...select, '-o', 'json', '--show-managed-fields']);
    const answer = parse(text);
    if (isRecord(answer) && Array.isArray(answer['items'])) return answer['items'].map(objectIn);
    throw new HoldfastError(errors.KUBECTL, `its answer is not a list of objects: ${excerpt(answer)}`);
  }

  /** What the server would change, as a unified diff; empty where nothing. */
  async diff(manifests: string): Promise<string> {
    const args = ['diff', '--server-side', `--field-manager=${FIELD_MANAGER}`, '-f', '-'];
    const ran = await this.#call(args, manifests);
    // 1 says that there is a difference, more that it could not be told.
    if (ran.code > 1) throw failed(args, ran);
    return ran.stdout;
  }

  /** Applies on the server. Never forces: what another manager has set is a conflict, and an error. */
  async apply(manifests: string, options: { readonly dryRun: boolean }): Promise<string> {
    const dry = options.dryRun ? ['--dry-run=server'] : [];
    return this.#answer(['apply', '--server-side', `--field-manager=${FIELD_MANAGER}`, ...dry, '-f', '-'], manifests);
  }

  async delete({ kind, name, namespace }: ObjectName): Promise<string> {
    return this.#answer(['delete', kind, name, '-n', namespace, '--ignore-not-found', '--wait=true']);
  }

  /** A file in a container. */
  async read(pod: KubeObject, container: string, path: string): Promise<string> {
    const { name, namespace = 'default' } = pod.metadata;
    return this.#answer(['exec', '-n', namespace, name, '-c', container, '--', 'cat', path]);
  }

  async #answer(args: readonly string[], input = ''): Promise<string> {
    const ran = await this.#call(args, input);
    if (ran.code !== 0) throw failed(args, ran);
    return ran.stdout;
  }

  #call(args: readonly string[], input: string): Promise<Ran> {
    return this.#run([...this.#command, ...args], input, CALL_MS);
  }
}

/** Splits as a shell would, with quotes but nothing else: no shell ever sees it. */
export function wordsOf(commandLine: string): string[] {
  const words = Array.from(commandLine.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g), ([, double, single, bare]) =>
    String(double ?? single ?? bare),
  );
  if (words.length > 0) return words;
  throw new HoldfastError(errors.OPTION, '--kubectl is empty');
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new HoldfastError(errors.KUBECTL, 'its answer is not JSON', { cause });
  }
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isTexts = (value: unknown): boolean =>
  value === undefined || (isRecord(value) && Object.values(value).every((text) => typeof text === 'string'));
const isFields = (value: unknown): boolean => isRecord(value) && Object.values(value).every(isFields);
const isManagedFields = (value: unknown): boolean =>
  isRecord(value) &&
  typeof value['manager'] === 'string' &&
  (value['fieldsV1'] === undefined || isFields(value['fieldsV1']));

function isKubeObject(value: unknown): value is KubeObject {
  if (!isRecord(value) || typeof value['apiVersion'] !== 'string' || typeof value['kind'] !== 'string') return false;
  const { metadata } = value;
  if (!isRecord(metadata) || typeof metadata['name'] !== 'string') return false;
  const { namespace = '', labels, annotations, managedFields = [] } = metadata;
  return (
    typeof namespace === 'string' &&
    isTexts(labels) &&
    isTexts(annotations) &&
    Array.isArray(managedFields) &&
    managedFields.every(isManagedFields)
  );
}

/** A wrapper around kubectl may print what it likes: whose object it is must never be read from half an answer. */
function objectIn(value: unknown): KubeObject {
  if (isKubeObject(value)) return value;
  throw new HoldfastError(errors.KUBECTL, `its answer is not an object of Kubernetes: ${excerpt(value)}`);
}

const EXCERPT_CHARS = 80;
const excerpt = (value: unknown): string => JSON.stringify(value).slice(0, EXCERPT_CHARS);

const STDERR_CHARS = 2_000;

/** How kubectl's own library logs, before kubectl says in a sentence what it could not do. */
const LOG_LINE = /^[EWI]\d{4} \d\d:\d\d:.*\n?/gm;

function failed(args: readonly string[], { code, stderr }: Ran): HoldfastError {
  const sentence = stderr.replaceAll(LOG_LINE, '').trim();
  const said = (sentence || stderr.trim()).slice(0, STDERR_CHARS) || `exit code ${code}`;
  // Others may set a field only if nobody else has: that is the rule that keeps hands off what is not ours.
  const kind = /\bconflict/i.test(stderr) && args[0] === 'apply' ? errors.NOT_OURS : errors.KUBECTL;
  return new HoldfastError(kind, `kubectl ${args.slice(0, 2).join(' ')}`, { cause: said });
}

const runCommand: RunCommand = ([program = '', ...args], input, timeoutMs) =>
  new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    // Node's own `timeout` runs on, and keeps the process, when there was no program to run.
    const timer = setTimeout(() => child.kill(), timeoutMs);
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    let bytes = 0;
    const gather = (chunks: Buffer[]) => (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > OUTPUT_BYTES_MAX) child.kill();
      else chunks.push(chunk);
    };
    child.stdout.on('data', gather(out));
    child.stderr.on('data', gather(err));
    child.on('error', (cause) => {
      clearTimeout(timer);
      reject(new HoldfastError(errors.KUBECTL, `${program} cannot be run`, { cause }));
    });
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      const stderr = Buffer.concat(err).toString();
      const ended = signal === null ? stderr : `${stderr}\nit was ended by ${signal}`;
      resolve({ code: code ?? 255, stdout: Buffer.concat(out).toString(), stderr: ended });
    });
    // It may end without having read; its exit code says so.
    child.stdin.on('error', () => {});
    child.stdin.end(input);
  });
