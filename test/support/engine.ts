/**
 * A whole engine in a temporary root, on the real kernel, behind its door: for end-to-end tests with the real docker CLI.
 * `end` takes everything away again, also after a failure. `reopen` is the daemon killed and started anew.
 */
import { execFile, execFileSync, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { whyNoContainers } from '#core/containers/testing.ts';
import { openRuntime } from '#daemon/runtime.ts';
import type { Runtime } from '#daemon/runtime.ts';
import { createDockerApi } from '#docker-api/server.ts';
import type { DockerApi } from '#docker-api/server.ts';
import { openEngine } from '#engine/engine.ts';
import type { Engine } from '#engine/engine.ts';
import { systemClock } from '#lib/clock.ts';
import { createLogger } from '#lib/log.ts';
import { systemRandom } from '#lib/random.ts';
import { linuxKernel } from '#sys/linux.ts';

const busyboxApplets = 'sh true false cat echo env ls sleep id ps kill mkdir touch rm wc head tail seq hostname stat ln grep ip wget nc nslookup sed tr dd stty test mount tty httpd readlink chown chmod date'.split(' ');

/** Why these tests cannot run here; undefined where they can. */
export function whyNoDocker(): string | undefined {
  const why = whyNoContainers();
  if (why !== undefined) return why;
  try {
    execFileSync('docker', ['--version'], { stdio: 'ignore' });
    return undefined;
  } catch {
    return 'there is no docker CLI';
  }
}

export interface CliResult {
  code: number;
  stdout: string;
  stderr: string;
}

export class TestEngine {
  readonly root: string = mkdtempSync(join(tmpdir(), 'gantry-e2e-'));
  readonly #kernel = linuxKernel();
  readonly instance: string = createHash('sha256').update(this.root).digest('hex').slice(0, 6);
  readonly #registry: { mirrors: string[]; insecure: string[] };
  readonly #children = new Set<ChildProcess>();
  runtime!: Runtime;
  engine!: Engine;
  #api: DockerApi | undefined;
  readonly logged: string[] = [];

  constructor(registry: { mirrors?: string[]; insecure?: string[] } = {}) {
    this.#registry = { mirrors: registry.mirrors ?? [], insecure: registry.insecure ?? [] };
  }

  get socket(): string {
    return join(this.root, 'docker.sock');
  }

  async open(): Promise<this> {
    try {
      return await this.#open();
    } catch (error) {
      await this.end().catch(() => {});
      throw error;
    }
  }

  async #open(): Promise<this> {
    const log = createLogger({ write: (line) => this.logged.push(line), level: 'info' });
    const kernel = this.#kernel;
    const clock = systemClock;
    const random = systemRandom;
    this.runtime = await openRuntime({
      root: this.root,
      instance: this.instance,
      kernel,
      clock,
      random,
      log,
      registryMirrors: this.#registry.mirrors,
      insecureRegistries: this.#registry.insecure,
    });
    this.engine = await openEngine({
      ...this.runtime,
      root: join(this.root, 'docker'),
      openRecords: this.runtime.records,
      files: kernel.files,
      run: (file, args) => kernel.processes.run(file, args),
      clock,
      random,
      log,
      host: { version: '0.0.0-test', runtime: { name: 'crun', path: '/usr/bin/crun' }, cgroupVersion: kernel.cgroups.version(), cgroupDriver: 'cgroupfs' },
    });
    this.#api = createDockerApi({ backends: this.engine, log, clock, version: '0.0.0-test' });
    await this.#api.listen(this.socket);
    return this;
  }

  /** As after a kill of the daemon: nothing is stopped. `meanwhile` runs while no daemon looks. */
  async reopen(meanwhile: () => Promise<void> | void = () => {}): Promise<void> {
    await this.#close();
    await meanwhile();
    await this.open();
  }

  async #close(): Promise<void> {
    await this.#api?.close();
    this.#api = undefined;
    await this.engine.close();
    await this.runtime.close();
  }

  /** Runs the CLI to its end. */
  docker(...args: string[]): Promise<CliResult> {
    return this.dockerWith({}, ...args);
  }

  dockerWith(options: { input?: string | Buffer; env?: Record<string, string> }, ...args: string[]): Promise<CliResult> {
    return new Promise((resolve) => {
      const child = execFile('docker', args, { env: this.#environment(options.env), maxBuffer: 64 << 20, timeout: 30_000 }, (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
        resolve({ code, stdout, stderr });
      });
      child.stdin?.on('error', () => {});
      child.stdin?.end(options.input);
    });
  }

  /** The CLI's output, trimmed; its failure is thrown with what it said. */
  async ok(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.docker(...args);
    if (code !== 0) throw new Error(`docker ${args.join(' ')} ended with ${code}: ${stderr}${stdout}\n${this.logged.slice(-5).join('')}`);
    return stdout.trim();
  }

  /** The CLI, still running. */
  spawn(...args: string[]): ChildProcess {
    return this.#started(spawn('docker', args, { env: this.#environment() }));
  }

  /** The CLI on a terminal of 33 rows and 99 columns. */
  terminal(...args: string[]): ChildProcess {
    const command = `stty rows 33 cols 99; exec docker ${args.map((a) => `'${a.replaceAll("'", `'\\''`)}'`).join(' ')}`;
    return this.#started(spawn('script', ['-qec', command, '/dev/null'], { env: { ...this.#environment(), TERM: 'xterm' } }));
  }

  #started(child: ChildProcess): ChildProcess {
    this.#children.add(child);
    child.on('exit', () => this.#children.delete(child));
    child.stdin?.on('error', () => {});
    return child;
  }

  #environment(more: Record<string, string> = {}): NodeJS.ProcessEnv {
    return { PATH: process.env['PATH'], HOME: this.root, DOCKER_HOST: `unix://${this.socket}`, DOCKER_CLI_HINTS: 'false', ...more };
  }

  /** Imports a busybox image as `name`. */
  async importBusybox(name: string): Promise<void> {
    const tar = busyboxTar(this.root);
    await this.ok('import', '--change', 'CMD ["sh"]', '--change', 'ENV PATH=/bin', tar, name);
  }

  async end(): Promise<void> {
    for (const child of this.#children) child.kill('SIGKILL');
    await this.#api?.close();
    await this.engine?.close();
    if (this.runtime) await this.#removeAll(this.runtime);
    const kernel = this.#kernel;
    await kernel.cgroups.remove(`gantry-${this.instance}`);
    removeNetworkObjects(this.instance);
    kernel.mounts.unmountTree(this.root);
    rmSync(this.root, { recursive: true, force: true });
  }

  async #removeAll(runtime: Runtime): Promise<void> {
    const { containers, networks, sandboxes } = runtime;
    for (const { id } of containers.list()) await containers.remove(id);
    for (const { id } of sandboxes.list()) {
      await networks.unpublish(id);
      for (const endpoint of networks.endpoints({ sandbox: id })) await networks.detach(endpoint.networkId, id);
      await sandboxes.remove(id);
    }
    await runtime.close();
  }
}

/** A tar of a root file system with busybox, and the accounts root and app (1000). */
function busyboxTar(directory: string): string {
  const tar = join(directory, 'busybox.tar');
  if (existsSync(tar)) return tar;
  const root = join(directory, 'busybox');
  for (const name of ['bin', 'etc', 'tmp', 'root', 'home/app']) mkdirSync(join(root, name), { recursive: true });
  copyFileSync('/bin/busybox', join(root, 'bin/busybox'));
  for (const applet of busyboxApplets) symlinkSync('busybox', join(root, 'bin', applet));
  writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n');
  writeFileSync(join(root, 'etc/group'), 'root:x:0:\napp:x:1000:\n');
  execFileSync('tar', ['-C', root, '-cf', tar, '.']);
  rmSync(root, { recursive: true });
  return tar;
}

/** Links and tables whose names carry the instance. */
function removeNetworkObjects(instance: string): void {
  const links = JSON.parse(execFileSync('ip', ['-j', 'link'], { encoding: 'utf8' })) as { ifname: string }[];
  for (const { ifname } of links) {
    if (ifname.includes(instance)) execFileSync('ip', ['link', 'delete', ifname], { stdio: 'ignore' });
  }
  const tables = execFileSync('nft', ['list', 'tables'], { encoding: 'utf8' }).split('\n');
  for (const line of tables) {
    const [, family, name] = line.split(' ');
    if (family && name?.includes(instance)) execFileSync('nft', ['delete', 'table', family, name]);
  }
}

/** Resolves when `test` holds; fails after `seconds`. */
export async function eventually(test: () => Promise<boolean> | boolean, what: string, seconds = 10): Promise<void> {
  const end = systemClock.now() + seconds * 1000;
  while (!(await test())) {
    if (systemClock.now() > end) throw new Error(`${what} did not come to hold within ${seconds} s`);
    await systemClock.sleep(50);
  }
}

/** All that a child prints until it ends, and its exit code. */
export function finished(child: ChildProcess): Promise<CliResult> {
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  return new Promise((resolve) => child.on('close', (code) => resolve({ code: code ?? -1, stdout, stderr })));
}
