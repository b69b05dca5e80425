import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Debian keeps daemons in sbin, which is not on every user's PATH. */
export const env = { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` };

/** A directory in which nginx is asked about configurations. */
export function nginxDirectory(): { readonly check: (config: string) => Verdict } & Disposable {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-nginx-'));
  const path = join(directory, 'nginx.conf');
  return {
    check(config) {
      writeFileSync(path, config.replaceAll('/var/log/nginx/', `${directory}/`));
      const { status, stderr } = spawnSync('nginx', ['-t', '-p', `${directory}/`, '-c', path], {
        env,
        encoding: 'utf8',
      });
      return { isAccepted: status === 0, says: stderr };
    },
    [Symbol.dispose]: () => rmSync(directory, { recursive: true, force: true }),
  };
}

export interface Verdict {
  readonly isAccepted: boolean;
  readonly says: string;
}

/** A part of `http` as a whole configuration that needs nothing of this machine. */
export function whole(part: string): string {
  const isWhole = /^http \{/m.test(part);
  const head = isWhole ? '' : 'events {}\nhttp {\naccess_log off;\n';
  return `pid nginx.pid;\n${/^error_log/m.test(part) ? '' : 'error_log error.log;\n'}${head}${part}${isWhole ? '' : '\n}\n'}`;
}
