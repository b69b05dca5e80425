import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';

/**
 * What a suite may need from Debian. A suite says so in its name: `test/chat.chromium.test.ts` needs chromium.
 * `program`: a name on the PATH, or the path of a file.
 * @type {Record<string, { program: string, packages: string[] }>}
 */
export const needs = {
  chromium: { program: 'chromium', packages: ['chromium', 'fonts-dejavu-core'] },
  redis: { program: 'redis-server', packages: ['redis-server'] },
  nginx: { program: 'nginx', packages: ['nginx', 'openssl'] },
  haproxy: { program: 'haproxy', packages: ['haproxy', 'openssl'] },
  nginxstream: { program: '/usr/lib/nginx/modules/ngx_stream_module.so', packages: ['nginx', 'libnginx-mod-stream'] },
  nginxlua: { program: '/usr/lib/nginx/modules/ngx_http_lua_module.so', packages: ['nginx', 'libnginx-mod-http-lua'] },
  // Debian's own Python; one of another origin, first on the PATH, may lack the module.
  python: {
    program: '/usr/lib/python3/dist-packages/websockets/version.py',
    packages: ['python3', 'python3-websockets'],
  },
  prometheus: { program: 'promtool', packages: ['prometheus'] },
};

/**
 * Installs what the suites need when this is root on a Debian, and returns the suites that still cannot run.
 * @param {string[]} suites paths of test files
 * @returns {{ suite: string, reason: string }[]}
 */
export function provide(suites) {
  const missing = Object.keys(needs).filter(
    (need) => suites.some((suite) => needsOf(suite).includes(need)) && !isPresent(need),
  );
  const line = aptLine(missing);
  if (missing.length > 0 && process.getuid?.() === 0) aptInstall(missing);
  return suites.flatMap((suite) => {
    const absent = needsOf(suite).filter((need) => !isPresent(need));
    return absent.length === 0 ? [] : [{ suite, reason: `needs ${absent.join(' and ')}; type: ${line}` }];
  });
}

/**
 * @param {string} suite
 * @returns {string[]}
 */
function needsOf(suite) {
  return suite.split('.').filter((part) => Object.hasOwn(needs, part));
}

/**
 * @param {string} need
 * @returns {boolean}
 */
function isPresent(need) {
  // Debian keeps daemons in sbin, which is not on every user's PATH.
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  return folders.some((folder) => {
    try {
      const program = needs[need]?.program ?? need;
      // Of a file that is no program it is enough that it is there.
      if (isAbsolute(program)) accessSync(program);
      else accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/**
 * @param {string[]} missing
 * @returns {string}
 */
function aptLine(missing) {
  const packages = missing.flatMap((need) => needs[need]?.packages ?? []);
  return `sudo apt-get install -y --no-install-recommends ${packages.join(' ')}`;
}

/** @param {string[]} missing */
function aptInstall(missing) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  for (const args of [['update'], aptLine(missing).split(' ').slice(2)]) {
    console.log(`\n── apt-get ${args.join(' ')}`);
    spawnSync('apt-get', ['-q', ...args], { env, stdio: ['ignore', 'inherit', 'inherit'] });
  }
}
