/** One attempt of a container as `core/containers` takes it. */
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Container, Pod } from '#api/kube/types.ts';
import type { Image } from '#core/images/types.ts';
import { defaultPath } from '#core/containers/spec/defaults.ts';
import type { ContainerSpec, MountSpec } from '#core/containers/types.ts';
import type { LogLimits } from '#core/logs/files.ts';
import type { Sandbox } from '#core/sandboxes/types.ts';
import { resolveUser } from '#core/containers/user.ts';
import { Fault, messageOf } from '#lib/errors.ts';
import { hostnameOf } from '../pod/files.ts';
import { labelOf, owner } from '../types.ts';
import type { NodeContext, NodePlace } from '../types.ts';
import { podDirectory } from '../volumes/manager.ts';
import type { PodVolumes } from '../volumes/manager.ts';
import { expand } from './expand.ts';
import { cgroupResources, oomScoreAdj } from './resources.ts';
import { checkNonRoot, containerSecurity } from './security.ts';
import type { ContainerSecurity } from './security.ts';
import { stopSignalOf } from './stop-signal.ts';

/** The kubelet's containerLogMaxSize and containerLogMaxFiles, at their defaults. */
const logLimits: LogLimits = { bytes: 10 * 1024 * 1024, files: 5 };

export interface AttemptInput {
  node: NodeContext;
  pod: Pod;
  container: Container;
  attempt: number;
  id: string;
  image: Image;
  /** As the pod names it. */
  imageName: string;
  rootfs: string;
  sandbox: Sandbox | undefined;
  volumes: PodVolumes;
  environment: ReadonlyMap<string, string>;
  hash: string;
  logPath: string;
}

export function podCgroup(node: NodePlace, uid: string): string {
  return `${node.instance}/${owner}/pod${uid}`;
}

/** Where a container writes why it ended. */
export function terminationLog(node: NodeContext, uid: string, container: string, attempt: number): string {
  return join(podDirectory(node, uid), 'containers', container, `${attempt}.termination-log`);
}

export function buildContainerSpec(input: AttemptInput): ContainerSpec {
  const { node, pod, container, image } = input;
  const config = image.config.config ?? {};
  const security = containerSecurity(pod, container, config.User ?? '');
  const resolved = resolveUser(node.core.kernel.files, input.rootfs, security.user, security.additionalGids.map(String));
  checkNonRoot(security, resolved.uid);
  const { spec } = pod;
  const uid = pod.metadata.uid!;
  const built: ContainerSpec = {
    id: input.id,
    owner,
    labels: labelsOf(input),
    rootfs: input.rootfs,
    readonlyRootfs: security.readonlyRootfs,
    process: {
      args: argumentsOf(container, config.Entrypoint ?? [], config.Cmd ?? [], input.environment),
      env: environmentOf(input, config.Env ?? []),
      cwd: container.workingDir || config.WorkingDir || '/',
      terminal: container.tty ?? false,
      user: { uid: resolved.uid, gid: security.gid ?? resolved.gid, additionalGids: security.mergesGroups ? resolved.additionalGids : security.additionalGids },
      noNewPrivileges: security.noNewPrivileges,
      ...(security.capabilities ? { capabilities: security.capabilities } : {}),
    },
    mounts: mountsOf(input),
    namespaces: {
      net: spec.hostNetwork ? 'host' : (input.sandbox?.netPath ?? 'private'),
      ipc: spec.hostIPC ? 'host' : (input.sandbox?.ipcPath ?? 'private'),
      uts: spec.hostNetwork ? 'host' : (input.sandbox?.utsPath ?? 'private'),
      pid: pidNamespace(input),
    },
    resources: cgroupResources(container),
    cgroup: `${podCgroup(node, uid)}/${input.id}`,
    privileged: security.privileged,
    ...confinementOf(node, security),
    // the pod's grace is for its deletion: what ends with its node need not wait so long
    stopSignal: stopSignalOf(container, config.StopSignal),
    stdin: container.stdin ?? false,
    stdinOnce: container.stdinOnce ?? false,
    logPath: input.logPath,
    logLimits,
    oomScoreAdj: oomScoreAdj(pod, container, node.allocatable.memoryBytes),
  };
  return built;
}

/** A container that was added to look into another one sees that one's processes. */
function pidNamespace({ node, pod, container }: AttemptInput): string {
  if (pod.spec.hostPID) return 'host';
  const target = pod.spec.ephemeralContainers?.find((candidate) => candidate.name === container.name)?.targetContainerName;
  if (!target) return 'private';
  const running = node.core.containers.list({ owner }).find(({ labels, state }) => state === 'running' && labels[labelOf.uid] === pod.metadata.uid && labels[labelOf.container] === target);
  if (running?.pid === undefined) throw new Fault('precondition', `container ${target} is not running`, { details: { reason: 'CreateContainerError' } });
  return `/proc/${running.pid}/ns/pid`;
}

function confinementOf(node: NodeContext, { seccomp, unmaskedProc }: ContainerSecurity): Pick<ContainerSpec, 'seccomp' | 'maskedPaths' | 'readonlyPaths'> {
  return {
    ...(seccomp === undefined ? {} : { seccomp: seccomp === 'unconfined' ? seccomp : profileOf(node, seccomp.localhost) }),
    ...(unmaskedProc ? { maskedPaths: [], readonlyPaths: [] } : {}),
  };
}

/** A seccomp profile that the node's administrator has put into the directory of profiles. */
function profileOf(node: NodeContext, name: string): object {
  const path = join(node.root, 'seccomp', name);
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as object;
  } catch (error) {
    throw new Fault('precondition', `cannot load seccomp profile "${path}": ${messageOf(error)}`, { cause: error, details: { reason: 'CreateContainerError' } });
  }
}

function labelsOf({ node, pod, container, attempt, image, imageName, hash }: AttemptInput): Record<string, string> {
  return {
    [labelOf.node]: node.nodeName,
    [labelOf.uid]: pod.metadata.uid!,
    [labelOf.namespace]: pod.metadata.namespace!,
    [labelOf.pod]: pod.metadata.name!,
    [labelOf.container]: container.name,
    [labelOf.attempt]: String(attempt),
    [labelOf.image]: imageName,
    [labelOf.imageId]: image.digests[0] ?? image.id,
    [labelOf.hash]: hash,
  };
}

/** `command` replaces the image's entrypoint and, with it, its default arguments. */
function argumentsOf(container: Container, entrypoint: readonly string[], cmd: readonly string[], environment: ReadonlyMap<string, string>): string[] {
  const command = container.command?.length ? container.command.map((word) => expand(word, environment)) : [...entrypoint];
  const given = container.args?.map((word) => expand(word, environment));
  const args = given ?? (container.command?.length ? [] : [...cmd]);
  if (command.length + args.length === 0) {
    throw new Fault('invalid', `no command specified: neither container ${container.name} nor its image has one`, { details: { reason: 'CreateContainerError' } });
  }
  return [...command, ...args];
}

function environmentOf({ node, pod, environment }: AttemptInput, imageEnv: readonly string[]): string[] {
  const values = new Map<string, string>();
  for (const entry of [defaultPath, `HOSTNAME=${hostnameOf(pod, node.nodeName)}`, ...imageEnv]) {
    const equals = entry.indexOf('=');
    if (equals > 0) values.set(entry.slice(0, equals), entry.slice(equals + 1));
  }
  for (const [name, value] of environment) values.set(name, value);
  return [...values].map(([name, value]) => `${name}=${value}`);
}

function mountsOf(input: AttemptInput): MountSpec[] {
  const { node, pod, container, attempt, sandbox } = input;
  const uid = pod.metadata.uid!;
  const directory = podDirectory(node, uid);
  const bind = (source: string, target: string, ...options: string[]): MountSpec => ({ type: 'bind', source, target, options: ['rbind', ...options] });
  const mounts: MountSpec[] = [];
  for (const [index, mount] of (container.volumeMounts ?? []).entries()) {
    const subPath = mount.subPathExpr ? expand(mount.subPathExpr, input.environment) : (mount.subPath ?? '');
    const source = input.volumes.source(pod, container.name, mount, index, subPath);
    mounts.push(bind(source, mount.mountPath, mount.readOnly ? 'ro' : 'rw', propagationOf(mount.mountPropagation)));
  }
  const taken = new Set(mounts.map((mount) => mount.target.replace(/\/+$/, '')));
  for (const name of ['hosts', 'resolv.conf', 'hostname']) {
    const target = `/etc/${name}`;
    if (!taken.has(target)) mounts.push(bind(join(directory, 'etc', name), target, 'rw', 'rprivate'));
  }
  if (sandbox?.shmPath && !pod.spec.hostIPC && !taken.has('/dev/shm')) mounts.push(bind(sandbox.shmPath, '/dev/shm', 'rw', 'rprivate'));
  const message = terminationLog(node, uid, container.name, attempt);
  mkdirSync(join(message, '..'), { recursive: true });
  writeFileSync(message, '');
  // Any user of the container may write it.
  chmodSync(message, 0o666);
  const messageTarget = container.terminationMessagePath || '/dev/termination-log';
  if (!taken.has(messageTarget)) mounts.push(bind(message, messageTarget, 'rw', 'rprivate'));
  return byDepth(mounts);
}

/** Parents before what is mounted in them. */
function byDepth(mounts: readonly MountSpec[]): MountSpec[] {
  const depth = (mount: MountSpec): number => mount.target.split('/').filter((part) => part !== '').length;
  return mounts.toSorted((a, b) => depth(a) - depth(b));
}

function propagationOf(propagation: string | undefined): string {
  if (propagation === 'Bidirectional') return 'rshared';
  return propagation === 'HostToContainer' ? 'rslave' : 'rprivate';
}
