import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import protobuf from 'protobufjs';

const require = createRequire(import.meta.url);

/** The protos of Envoy's API, which @grpc/grpc-js-xds carries with all that they import. */
const deps = join(dirname(require.resolve('@grpc/grpc-js-xds/package.json')), 'deps');
const FOLDERS = [
  ...['envoy-api', 'googleapis', 'protoc-gen-validate', 'xds'].map((name) => join(deps, name)),
  dirname(require.resolve('protobufjs/package.json')),
];

/** The bootstrap, and what stands in it as `typed_config`. */
const FILES = [
  'envoy/config/bootstrap/v3/bootstrap.proto',
  'envoy/extensions/access_loggers/stream/v3/stream.proto',
  'envoy/extensions/filters/http/local_ratelimit/v3/local_rate_limit.proto',
  'envoy/extensions/filters/http/router/v3/router.proto',
  'envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.proto',
  'envoy/extensions/transport_sockets/tls/v3/tls.proto',
  'envoy/extensions/upstreams/http/v3/http_protocol_options.proto',
];

let loaded: protobuf.Root | undefined;

function api(): protobuf.Root {
  if (loaded) return loaded;
  const root = new protobuf.Root();
  const { resolvePath } = root;
  root.resolvePath = (origin, target) =>
    FOLDERS.map((folder) => join(folder, target)).find(existsSync) ?? resolvePath.call(root, origin, target);
  loaded = root.loadSync(FILES, { keepCase: true });
  loaded.resolveAll();
  return loaded;
}

/** What is wrong with a bootstrap as Envoy reads one: members, types, enumerations, alternatives and what must be there. */
export const bootstrapProblems = (bootstrap: unknown): string[] =>
  messageProblems(api().lookupType('envoy.config.bootstrap.v3.Bootstrap'), bootstrap, '');

const WRAPPED = /^\.google\.protobuf\.(?:UInt32|UInt64|Int32|Int64|Double|Float|Bool|String)Value$/;

function messageProblems(type: protobuf.Type, value: unknown, path: string): string[] {
  if (WRAPPED.test(type.fullName)) return typeof value === 'object' ? [`${path} is no plain value`] : [];
  switch (type.fullName) {
    case '.google.protobuf.Duration':
      return typeof value === 'string' && /^\d+(?:\.\d{1,9})?s$/.test(value)
        ? []
        : [`${path} is no duration: ${String(value)}`];
    case '.google.protobuf.Struct':
      return typeof value === 'object' ? [] : [`${path} is no object`];
    case '.google.protobuf.Any':
      return anyProblems(value as Record<string, unknown>, path);
    default:
      return isObject(value) ? memberProblems(type, value, path) : [`${path} is no ${type.name}`];
  }
}

function anyProblems({ '@type': url, ...rest }: Record<string, unknown>, path: string): string[] {
  const name = String(url).replace('type.googleapis.com/', '');
  try {
    return messageProblems(api().lookupType(name), rest, path);
  } catch {
    return [`${path} has the unknown type ${String(url)}`];
  }
}

function memberProblems(type: protobuf.Type, value: Record<string, unknown>, path: string): string[] {
  const alternatives = type.oneofsArray.flatMap((oneof) => {
    const given = oneof.fieldsArray.filter(({ name }) => Object.hasOwn(value, name)).map(({ name }) => name);
    if (given.length > 1) return [`${path} has ${given.join(' and ')}, which exclude each other`];
    const isMissing = given.length === 0 && oneof.options?.['(validate.required)'] === true;
    return isMissing ? [`${path} lacks one of ${oneof.name}`] : [];
  });
  const missing = type.fieldsArray
    .filter((field) => isRequired(field) && !Object.hasOwn(value, field.name))
    .map(({ name }) => `${path} lacks ${name}`);
  const members = Object.entries(value).flatMap(([name, member]) => {
    const field = type.fields[name];
    const at = `${path}.${name}`;
    return field ? fieldProblems(field, member, at) : [`${at} is not known to ${type.name}`];
  });
  return [...alternatives, ...missing, ...members];
}

/** What must be there of an alternative must be there only where it was chosen. */
const isRequired = ({ options = {}, partOf }: protobuf.Field): boolean =>
  partOf === null && options['(validate.rules).message.required'] === true;

function fieldProblems(field: protobuf.Field, value: unknown, path: string): string[] {
  if (field.map) {
    if (!isObject(value)) return [`${path} is no map`];
    return Object.entries(value).flatMap(([key, item]) => valueProblems(field, item, `${path}['${key}']`));
  }
  if (!field.repeated) return valueProblems(field, value, path);
  if (!Array.isArray(value)) return [`${path} is no list`];
  return value.flatMap((item, i) => valueProblems(field, item, `${path}[${i}]`));
}

function valueProblems(field: protobuf.Field, value: unknown, path: string): string[] {
  const { resolvedType: type } = field;
  if (type instanceof protobuf.Type) return messageProblems(type, value, path);
  if (type instanceof protobuf.Enum) {
    return Object.hasOwn(type.values, String(value)) ? [] : [`${path} is no ${type.name}: ${String(value)}`];
  }
  const wanted =
    field.type === 'string' || field.type === 'bytes' ? 'string' : field.type === 'bool' ? 'boolean' : 'number';
  return typeof value === wanted ? [] : [`${path} is no ${wanted}: ${String(value)}`];
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
