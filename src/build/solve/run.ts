import { lstat, mkdir, rm, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Emit } from '#api/docker/calls.ts';
import { extraHostLines } from '#api/docker/extra-hosts.ts';
import { rlimitsOf } from '#api/docker/ulimits.ts';
import type { BuildOptions } from '#api/docker/build.ts';
import type { ImageConfig } from '#api/oci/image.ts';
import type { ContainerSpec, MountSpec } from '#core/containers/types.ts';
import { resolveUser } from '#core/containers/user.ts';
import { asFault, Fault } from '#lib/errors.ts';
import { hex } from '#lib/random.ts';
import { resolveInRoot } from '#lib/rootfs-path.ts';
import { defaultPath } from '#core/containers/spec/defaults.ts';
import type { Change } from '../dockerfile/types.ts';
import type { BuilderOptions } from '../types.ts';

export interface RunRequest {
  change: Change & { kind: 'run' };
  config: ImageConfig;
  /** Build arguments that the command sees, `NAME=value`. */
  args: readonly string[];
  /** The mounted root file system. */
  root: string;
  options: BuildOptions;
  /** Bind mounts for `RUN --mount`. */
  mounts: readonly MountSpec[];
  emit: Emit;
  signal: AbortSignal;
}

/**
 * Runs a command in a container on the step's file system. What it prints goes to the build's output.
 * Fault `invalid` with `details.exitCode`, where that is not 0.
 */
export async function runCommand(builder: BuilderOptions, id: string, request: RunRequest): Promise<void> {
  const { change, root } = request;
  const files = join(builder.root, 'runs', id);
  await mkdir(files, { recursive: true, mode: 0o711 });
  const mountPoints = await missingMountPoints(root);
  const network = networkOf(change, request.options);
  try {
    const namespace = network === 'host' ? 'host' : await joinNetwork(builder, id, network);
    const spec = await containerSpec(builder, id, request, files, namespace);
    await started(builder.containers.create(spec));
    const code = await runToEnd(builder, id, request);
    if (code !== 0) {
      const command = change.args.join(' ');
      throw new Fault('invalid', `The command '${command}' returned a non-zero code: ${code}`, { details: { exitCode: code } });
    }
  } finally {
    await builder.containers.remove(id);
    if (network === 'bridge') await leaveNetwork(builder, id);
    await builder.sandboxes.remove(id);
    await rm(files, { recursive: true, force: true });
    await removeMountPoints(mountPoints);
  }
}

function networkOf(change: Change & { kind: 'run' }, options: BuildOptions): 'bridge' | 'none' | 'host' {
  const mode = change.network === 'default' ? options.networkMode || 'default' : change.network;
  if (mode === 'default' || mode === 'bridge') return 'bridge';
  if (mode === 'none' || mode === 'host') return mode;
  throw new Fault('invalid', `build --network=${mode} is not supported: use default, none or host`);
}

async function joinNetwork(builder: BuilderOptions, id: string, network: 'bridge' | 'none'): Promise<string> {
  const sandbox = await builder.sandboxes.create({ id, owner: 'build', namespaces: ['net'] });
  const namespace = sandbox.netPath ?? '';
  if (network === 'bridge') {
    const bridge = builder.networks.get('bridge');
    if (!bridge) throw new Fault('internal', 'the default network, bridge, is missing');
    await builder.networks.attach(bridge.id, { sandboxId: id, namespace });
  }
  return namespace;
}

async function leaveNetwork(builder: BuilderOptions, id: string): Promise<void> {
  const bridge = builder.networks.get('bridge');
  if (bridge) await builder.networks.detach(bridge.id, id);
}

async function containerSpec(builder: BuilderOptions, id: string, request: RunRequest, files: string, namespace: string): Promise<ContainerSpec> {
  const { config, change, options } = request;
  const defaults = config.config ?? {};
  const user = resolveUser(builder.files, request.root, defaults.User ?? '');
  const hostname = id.slice(0, 12);
  const env = withDefaults(defaults.Env ?? [], [defaultPath, `HOSTNAME=${hostname}`]);
  const resolv = join(files, 'resolv.conf');
  const hosts = join(files, 'hosts');
  const named = join(files, 'hostname');
  await writeFile(resolv, builder.nameservers().map((n) => `nameserver ${n}\n`).join(''));
  const gateway = builder.networks.get('bridge')?.ipam.config.find((c) => c.gateway)?.gateway;
  await writeFile(hosts, hostsText(hostname, options.extraHosts, gateway));
  await writeFile(named, `${hostname}\n`);
  const bind = (source: string, target: string): MountSpec => ({ type: 'bind', source, target, options: ['rbind', 'rprivate', 'rw'] });
  const limits = options.resources;
  return {
    id,
    owner: 'build',
    rootfs: request.root,
    hostname,
    process: { args: change.args, env: withDefaults([...env, ...request.args], [`HOME=${user.home}`]), cwd: defaults.WorkingDir || '/', user, rlimits: rlimitsOf(limits.ulimits) },
    mounts: [bind(resolv, '/etc/resolv.conf'), bind(hosts, '/etc/hosts'), bind(named, '/etc/hostname'), ...request.mounts],
    namespaces: { net: namespace },
    ...(limits.cgroupParent === '' ? {} : { cgroup: `${limits.cgroupParent.replace(/^\/+|\/+$/g, '')}/${id}` }),
    stdin: change.input !== undefined,
    stdinOnce: true,
    shmSize: limits.shmSize || undefined,
    resources: {
      memoryBytes: limits.memory || undefined,
      memorySwapBytes: limits.memorySwap || undefined,
      cpuShares: limits.cpuShares || undefined,
      cpuPeriod: limits.cpuPeriod || undefined,
      cpuQuota: limits.cpuQuota || undefined,
      cpusetCpus: limits.cpusetCpus || undefined,
      cpusetMems: limits.cpusetMems || undefined,
    },
  };
}

/** The environment, and those defaults whose names it lacks. */
function withDefaults(env: readonly string[], defaults: readonly string[]): string[] {
  const names = new Set(env.map((entry) => entry.split('=', 1)[0]));
  return [...env, ...defaults.filter((entry) => !names.has(entry.split('=', 1)[0]))];
}

function hostsText(hostname: string, extra: readonly string[], gateway: string | undefined): string {
  const lines = [`127.0.0.1\tlocalhost ${hostname}`, '::1\tlocalhost ip6-localhost ip6-loopback'];
  return `${[...lines, ...extraHostLines(extra, gateway)].join('\n')}\n`;
}

async function runToEnd(builder: BuilderOptions, id: string, request: RunRequest): Promise<number> {
  const streams = await builder.containers.attach(id);
  const ended = new Promise<void>((resolve) => streams.onEnd(() => resolve()));
  const decoders = { stdout: new TextDecoder(), stderr: new TextDecoder() };
  streams.onOutput((stream, data) => {
    const text = decoders[stream].decode(data, { stream: true });
    if (text !== '') request.emit({ stream: text });
  });
  const abort = (): void => {
    builder.containers.kill(id, 9, { all: true }).catch(() => {});
  };
  request.signal.addEventListener('abort', abort, { once: true });
  try {
    request.signal.throwIfAborted();
    await started(builder.containers.start(id));
    // what has not started yet cannot be killed
    if (request.signal.aborted) abort();
    if (request.change.input !== undefined) {
      await streams.write(Buffer.from(request.change.input));
      streams.endInput();
    }
    const exit = await builder.containers.wait(id);
    await ended;
    request.signal.throwIfAborted();
    return exit.code;
  } finally {
    request.signal.removeEventListener('abort', abort);
    streams.close();
  }
}

/** A command that cannot be started is no command that ended: the build fails without its exit status. */
async function started(step: Promise<unknown>): Promise<void> {
  try {
    await step;
  } catch (error) {
    const fault = asFault(error);
    throw new Fault(fault.kind, fault.message, { cause: error });
  }
}

interface MadeMountPoint {
  path: string;
  directory: boolean;
}

/** What the runtime will make for its mounts and the image lacks: it must not end up in the layer. */
async function missingMountPoints(root: string): Promise<MadeMountPoint[]> {
  const wanted: [string, boolean][] = [
    ['/etc', true], ['/etc/resolv.conf', false], ['/etc/hosts', false], ['/etc/hostname', false], ['/proc', true], ['/sys', true], ['/dev', true],
    ['/dev/pts', true], ['/dev/shm', true], ['/dev/mqueue', true], ['/sys/fs', true], ['/sys/fs/cgroup', true],
  ];
  const missing: MadeMountPoint[] = [];
  for (const [name, directory] of wanted) {
    const path = await resolveInRoot(root, name, { followLast: false });
    if (!(await lstat(path).catch(() => undefined))) missing.push({ path, directory });
  }
  return missing;
}

async function removeMountPoints(made: readonly MadeMountPoint[]): Promise<void> {
  for (const { path, directory } of [...made].reverse()) {
    const stats = await lstat(path).catch(() => undefined);
    if (!stats) continue;
    // only what is still empty was the runtime's; a command may have made the path its own
    if (directory && stats.isDirectory()) await rmdir(path).catch(() => {});
    else if (!directory && stats.isFile() && stats.size === 0) await rm(path, { force: true });
  }
}

export function runId(builder: BuilderOptions): string {
  return hex(builder.random, 32);
}
