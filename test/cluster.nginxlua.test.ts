import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { freePort } from '@holdfast/testing';
import { ingress, NGINX, PLATFORM } from './cluster.fixture.js';
import { nginxConf } from './fixtures/controller-conf.mjs';

/** Modules that the controller has built in. */
const MODULES = ['ndk_http_module', 'ngx_http_lua_module']
  .map((name) => `load_module /usr/lib/nginx/modules/${name}.so;\n`)
  .join('');

it('replays an nginx.conf of the controller that real nginx accepts', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-controller-'));
  const socket = ingress('cloud-prod-cloud-ws', '/app-ws', {
    annotations: { [`${NGINX}/proxy-read-timeout`]: '3600' },
  });
  const conf = nginxConf({ objects: [...Object.values(PLATFORM), socket] })
    .replaceAll(/\b80  ;/g, `${await freePort()};`)
    .replaceAll('/tmp/nginx/', `${folder}/`);
  writeFileSync(join(folder, 'nginx.conf'), MODULES + conf);
  const { stderr } = await promisify(execFile)('nginx', ['-t', '-p', folder, '-c', join(folder, 'nginx.conf')]);
  expect(stderr).toContain('test is successful');
  rmSync(folder, { recursive: true });
});
