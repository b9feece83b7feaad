/**
 * A whole Gantry in a temporary root, started and stopped by `./gantry` as a user does it, for end-to-end tests with the
 * real `docker` and `kubectl`. `end` takes it down with `--purge` and fails if anything of it is left in the kernel.
 */
import assert from 'node:assert/strict';
import { execFile, execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { whyNoContainers } from '#core/containers/testing.ts';
import type { Status } from '#api/gantry/status.ts';
import { programPath } from './programs.ts';

/** The program, as `./gantry` runs it. */
export const gantry = join(import.meta.dirname, '../../src/main.ts');

/** Why these tests cannot run here; undefined where they can. */
export function whyNoDaemon(...programs: string[]): string | undefined {
  const missing = programs.find((p) => programPath(p) === undefined);
  return whyNoContainers() ?? (missing === undefined ? undefined : `there is no ${missing} client`);
}

export interface Result {
  code: number;
  stdout: string;
  stderr: string;
}

export class TestDaemon {
  readonly root: string = mkdtempSync(join(tmpdir(), 'gantry-t-'));
  readonly #flags: readonly string[];
  readonly #children = new Set<ChildProcess>();

  constructor(flags: readonly string[] = []) {
    this.#flags = flags;
  }

  get socket(): string {
    return join(this.root, 'run', 'docker.sock');
  }

  get kubeconfig(): string {
    return join(this.root, 'cluster', 'admin.kubeconfig');
  }

  /** `up`, whatever comes of it. */
  tryUp(...flags: string[]): Promise<Result> {
    return this.run(process.execPath, [gantry, 'up', '--root', this.root, ...this.#flags, ...flags]);
  }

  async up(...flags: string[]): Promise<void> {
    const { code, stderr } = await this.tryUp(...flags);
    assert.equal(code, 0, `${stderr}\n${this.log().slice(-4000)}`);
  }

  /** One of Gantry's own commands, which must succeed. */
  async gantry(...words: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(process.execPath, [gantry, ...words, '--root', this.root]);
    assert.equal(code, 0, `gantry ${words.join(' ')}: ${stderr}${stdout}`);
    return stdout.trim();
  }

  log(): string {
    const path = join(this.root, 'run', 'daemon.log');
    return existsSync(path) ? readFileSync(path, 'utf8') : '';
  }

  async status(): Promise<Status> {
    const { stdout, stderr } = await this.run(process.execPath, [gantry, 'status', '-o', 'json', '--root', this.root]);
    assert.notEqual(stdout, '', stderr);
    return JSON.parse(stdout) as Status;
  }

  /** Kills the daemon as a crash does; containers are left alone. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    await this.#kill('daemon.json', signal);
  }

  /** Kills the daemon that works on the root, ready or not, if there is one. */
  async killStarting(): Promise<void> {
    await this.#kill('lock.json', 'SIGKILL').catch((error: NodeJS.ErrnoException) => assert.equal(error.code, 'ESRCH'));
  }

  async #kill(file: string, signal: NodeJS.Signals): Promise<void> {
    const { pid } = JSON.parse(readFileSync(join(this.root, 'run', file), 'utf8')) as { pid: number };
    process.kill(pid, signal);
    await until('the daemon to be gone', () => !existsSync(`/proc/${pid}`) || readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z '));
  }

  docker(...args: string[]): Promise<Result> {
    return this.run('docker', args);
  }

  kubectl(...args: string[]): Promise<Result> {
    return this.run('kubectl', args);
  }

  /** The output of a client that must succeed. */
  async ok(program: 'docker' | 'kubectl', ...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(program, args);
    assert.equal(code, 0, `${program} ${args.join(' ')}: ${stderr}${stdout}`);
    return stdout.trim();
  }

  run(program: string, args: readonly string[], input?: string): Promise<Result> {
    return new Promise((resolve) => {
      const child = execFile(program, [...args], { env: this.environment(), maxBuffer: 64 << 20 }, (error, stdout, stderr) => {
        this.#children.delete(child);
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 128;
        resolve({ code, stdout, stderr });
      });
      this.#children.add(child);
      child.stdin?.end(input);
    });
  }

  /** A client that goes on in the background, until `end`. */
  start(program: string, args: readonly string[]): ChildProcess {
    const child = spawn(program, [...args], { env: this.environment(), stdio: ['pipe', 'pipe', 'pipe'] });
    this.#children.add(child);
    return child;
  }

  environment(): NodeJS.ProcessEnv {
    // builds go to the engine's own builder, whatever plugins this machine has
    return { ...process.env, DOCKER_HOST: `unix://${this.socket}`, KUBECONFIG: this.kubeconfig, DOCKER_BUILDKIT: '0', DOCKER_CONFIG: join(this.root, '..', 'no-docker-config') };
  }

  /** Builds an image of busybox with its applets under `name`. */
  async busybox(name = 'bb'): Promise<void> {
    const context = join(this.root, 'bb-context');
    mkdirSync(context, { recursive: true });
    copyFileSync('/bin/busybox', join(context, 'busybox'));
    writeFileSync(join(context, 'Dockerfile'), 'FROM scratch\nCOPY busybox /bin/busybox\nRUN ["/bin/busybox","--install","-s","/bin"]\nENV PATH=/bin\nCMD ["sh"]\n');
    await this.ok('docker', 'build', '-t', name, context);
  }

  async end(): Promise<void> {
    for (const child of this.#children) child.kill('SIGKILL');
    if (existsSync(join(this.root, 'run', 'daemon.json'))) {
      await this.kill('SIGTERM').catch(() => {});
      endContainers(this.root);
    }
    const { code, stderr } = await this.run(process.execPath, [gantry, 'down', '--purge', '--root', this.root]);
    rmSync(this.root, { recursive: true, force: true });
    assert.equal(code, 0, stderr);
    assert.deepEqual(this.leftovers(), [], 'down --purge must leave nothing behind');
  }

  /** `process PID command` of each that has this root on its command line. */
  processes(): string[] {
    return processesOf(this.root);
  }

  /** What of this instance is in the kernel. */
  leftovers(): string[] {
    const instance = createHash('sha256').update(this.root).digest('hex').slice(0, 6);
    const out = (program: string, ...args: string[]): string => execFileSync(program, args, { encoding: 'utf8' });
    const lines = [
      ...readFileSync('/proc/self/mounts', 'utf8').split('\n').filter((l) => l.includes(this.root)).map((l) => `mount ${l}`),
      ...readdirSync('/sys/class/net').filter((l) => l.includes(instance)).map((l) => `link ${l}`),
      ...out('nft', 'list', 'tables').split('\n').filter((l) => l.includes(instance)),
      ...findCgroups(instance),
      ...processesOf(this.root),
    ];
    return existsSync(this.root) ? [...lines, `files in ${this.root}`] : lines;
  }
}

function findCgroups(instance: string): string[] {
  const roots = ['/sys/fs/cgroup', ...readdirSync('/sys/fs/cgroup').map((n) => join('/sys/fs/cgroup', n))];
  return roots.map((r) => join(r, `gantry-${instance}`)).filter((p) => existsSync(p)).map((p) => `cgroup ${p}`);
}

/** What tests run mostly ignores SIGTERM, after which `down` waits for it. */
function endContainers(root: string): void {
  for (const line of processesOf(root)) {
    const [, pid, program] = line.split(' ');
    if (program?.endsWith('conmon') !== true) continue;
    try {
      for (const child of readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean)) process.kill(Number(child), 'SIGKILL');
    } catch {
      // it has ended meanwhile
    }
  }
}

function processesOf(root: string): string[] {
  return readdirSync('/proc')
    .filter((n) => /^\d+$/.test(n) && Number(n) !== process.pid)
    .flatMap((pid) => {
      try {
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
        return command.includes(root) ? [`process ${pid} ${command}`] : [];
      } catch {
        return [];
      }
    });
}

/** Waits until `look` is true, asking at most ten times a second. */
export async function until(what: string, look: () => boolean | Promise<boolean>, seconds = 30): Promise<void> {
  // a look may itself take a second where the machine is busy: the clock decides, but none gets less than ten looks
  const limit = Date.now() + seconds * 1000;
  for (let looks = 0; looks < 10 || Date.now() < limit; looks++) {
    if (await look()) return;
    await sleep(100);
  }
  assert.fail(`waited ${seconds} s for ${what}`);
}
