import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type RunningProcess, startProcess, until } from '@holdfast/testing';

/** A proxy of Debian, run in the foreground with the files of a directory of its own. */
export class Proxy implements AsyncDisposable {
  readonly directory: string;
  readonly process: RunningProcess;
  /** The first of its ports. */
  readonly port: number;

  private constructor(directory: string, process: RunningProcess, port: number) {
    this.directory = directory;
    this.process = process;
    this.port = port;
  }

  /** nginx, with `nginx.conf` of the directory; ready when it listens on these ports. */
  static nginx(directory: string, ...ports: number[]): Promise<Proxy> {
    const args = ['-p', directory, '-c', join(directory, 'nginx.conf'), '-e', 'stderr', '-g', 'daemon off;'];
    return Proxy.#start(directory, 'nginx', args, ports);
  }

  /** HAProxy as master and worker, so that it can be reloaded, with `haproxy.cfg` of the directory. */
  static haproxy(directory: string, ...ports: number[]): Promise<Proxy> {
    return Proxy.#start(directory, 'haproxy', ['-W', '-db', '-f', join(directory, 'haproxy.cfg')], ports);
  }

  static async #start(directory: string, command: string, args: string[], ports: number[]): Promise<Proxy> {
    const process = await startProcess({ command, args, env: sbin });
    const proxy = new Proxy(directory, process, ports[0] ?? 0);
    let isOver = false;
    void process.exited.then(() => (isOver = true));
    for (const port of ports) {
      const listens = (): Promise<boolean> | true => isOver || answers(port);
      await until(listens, { what: `${command} to listen on ${port}`, timeoutMs: 10_000 });
    }
    if (isOver) throw new Error(`${command} ended:\n${process.stderr.toString()}\n${process.stdout.toString()}`);
    return proxy;
  }

  /** What the access log holds, one object a line. */
  accessLog(name: string): Record<string, unknown>[] {
    const lines = readFileSync(join(this.directory, 'logs', name), 'utf8')
      .trim()
      .split('\n')
      .filter(Boolean);
    return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  /** The error log of nginx. */
  log(): string {
    return readFileSync(join(this.directory, 'logs', 'error.log'), 'utf8');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.process.stop(500);
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Debian keeps daemons in sbin, which is not on every user's PATH. */
const sbin = { PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` };

/** A directory with these files, and `logs` beside them. */
export function directoryOf(files: Readonly<Record<string, string>>): string {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-proxy-'));
  mkdirSync(join(directory, 'logs'));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), text);
  }
  return directory;
}

/** What a program says of a configuration that it accepts. It throws, with all that the program said, when it does not. */
export function verdictOf(command: string, ...args: string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    env: { ...process.env, ...sbin },
    encoding: 'utf8',
  });
  const said = `${stderr}${stdout}`;
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}:\n${said}`, { cause: error });
  return said;
}

/** What HAProxy says of a configuration that it accepts. */
export function haproxyVerdict(text: string): string {
  const directory = directoryOf({ 'haproxy.cfg': text });
  try {
    return verdictOf('haproxy', '-c', '-f', join(directory, 'haproxy.cfg'));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** A certificate for localhost, made once for all that is run with it: paths of it, of its key, and of both in one file. */
export function certificate(): {
  readonly certificate: string;
  readonly key: string;
  readonly both: string;
} & Disposable {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-tls-'));
  const [cert, key, both] = ['cert.pem', 'key.pem', 'both.pem'].map((name) => join(directory, name)) as [
    string,
    string,
    string,
  ];
  const subject = ['-subj', '/CN=localhost', '-days', '2', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'];
  execFileSync('openssl', ['req', '-x509', '-nodes', ...subject, '-keyout', key, '-out', cert], { stdio: 'pipe' });
  cpSync(cert, both);
  writeFileSync(both, readFileSync(cert, 'utf8') + readFileSync(key, 'utf8'));
  return { certificate: cert, key, both, [Symbol.dispose]: () => rmSync(directory, { recursive: true, force: true }) };
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}
