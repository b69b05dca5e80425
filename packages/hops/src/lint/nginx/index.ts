import { nginxFiles } from '../../nginx/dialect.js';
import { type Dialect, linter, type Linter } from '../dialect.js';
import type { Rule } from '../rule.js';
import { hashForwarded, hashNotConsistent, ipHash24, ipHashNoRealIp, stickyMethodOrder } from './balancing.js';
import { limits, workerConnections } from './capacity.js';
import { configOf, type NginxConfig } from './config.js';
import {
  connectionNotUpgrade,
  constantUpgrade,
  duplicateConnection,
  duplicateConnectionEmpty,
  duplicateUpgrade,
} from './connection.js';
import { http2OnlyAlpn } from './http2.js';
import { bufferingCargo, obsoleteHttp2 } from './leftovers.js';
import { errorLogLevel } from './logging.js';
import { noWorkerShutdown, workerShutdownShort } from './reload.js';
import { singleBackendResolve } from './resolving.js';
import { connectTimeout, keepaliveTimeout, readTimeout, sendTimeout } from './timeouts.js';
import { headerInheritance, ifInLocation, noConnectionHeader, noUpgradeHeader } from './upgrade.js';
import { trailingUri } from './uri.js';
import { mapMissing, mapSwapped } from './variables.js';
import { http10 } from './version.js';

const rules: readonly Rule<NginxConfig>[] = [
  noUpgradeHeader,
  noConnectionHeader,
  http10,
  connectionNotUpgrade,
  constantUpgrade,
  mapMissing,
  mapSwapped,
  duplicateUpgrade,
  duplicateConnectionEmpty,
  duplicateConnection,
  headerInheritance,
  ifInLocation,
  readTimeout,
  sendTimeout,
  connectTimeout,
  keepaliveTimeout,
  ipHashNoRealIp,
  ipHash24,
  hashNotConsistent,
  hashForwarded,
  stickyMethodOrder,
  singleBackendResolve,
  noWorkerShutdown,
  workerShutdownShort,
  workerConnections,
  errorLogLevel,
  bufferingCargo,
  http2OnlyAlpn,
  obsoleteHttp2,
  limits,
  trailingUri,
];

const dialect: Dialect<NginxConfig> = {
  ...nginxFiles,
  read(sources, context) {
    const { units, ...rest } = nginxFiles.read(sources, context);
    return { ...rest, units: units.map((tree) => configOf(tree, context)) };
  },
  rules,
};

export const nginxLinter: Linter = linter(dialect);
