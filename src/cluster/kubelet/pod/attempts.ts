/** The attempts of a pod's containers: reading, starting, stopping, removing them. */
import { closeSync, fstatSync, mkdirSync, openSync, readSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Container, Pod } from '#api/kube/types.ts';
import type { ContainerStatus } from '#core/containers/types.ts';
import { removeLog } from '#core/logs/files.ts';
import { Fault, isFault, messageOf } from '#lib/errors.ts';
import { hex } from '#lib/random.ts';
import { buildEnvironment } from '../container/environment.ts';
import type { PodObjects } from '../container/environment.ts';
import type { PodFacts } from '../container/fields.ts';
import { buildContainerSpec, terminationLog } from '../container/spec.ts';
import { labelOf, owner } from '../types.ts';
import type { NodeContext, NodePlace } from '../types.ts';
import type { PodVolumes } from '../volumes/manager.ts';
import { rememberProcess } from './exec.ts';
import { ensureImage } from './images.ts';
import type { ObservedContainer } from './observed.ts';
import { hashOf } from './plan.ts';

/** Bytes of a termination message that reach the status, as in Kubernetes. */
const messageLimit = 4096;
const messageTailLines = 80;
const fallbackLimit = 2048;

export function logsDirectory(node: NodePlace): string {
  return join(node.root, 'logs');
}

/** Where the output of a pod's attempts is kept. */
export function podLogDirectory(node: NodeContext, namespace: string, name: string, uid: string): string {
  return join(logsDirectory(node), `${namespace}_${name}_${uid}`);
}

/** The pod whose output is in a directory of this name: no name of a pod or namespace has an underscore. */
export function uidOfLogs(directory: string): string {
  return directory.slice(directory.lastIndexOf('_') + 1);
}

/** Attempts by container name, newest first. */
export function attemptsOf(node: NodeContext, uid: string): Map<string, ObservedContainer[]> {
  const byName = new Map<string, ObservedContainer[]>();
  for (const status of node.core.containers.list({ owner })) {
    if (status.labels[labelOf.uid] !== uid || status.labels[labelOf.node] !== node.nodeName) continue;
    const observed = observe(status);
    byName.set(observed.name, [...(byName.get(observed.name) ?? []), observed]);
  }
  for (const attempts of byName.values()) attempts.sort((a, b) => b.attempt - a.attempt);
  return byName;
}

function observe(status: ContainerStatus): ObservedContainer {
  const { labels, exit } = status;
  const observed: ObservedContainer = {
    id: status.id,
    name: labels[labelOf.container] ?? '',
    attempt: Number(labels[labelOf.attempt] ?? 0),
    state: status.state === 'paused' ? 'running' : status.state,
    hash: labels[labelOf.hash] ?? '',
    image: labels[labelOf.image] ?? '',
    imageId: labels[labelOf.imageId] ?? '',
  };
  if (status.startedAt !== undefined) observed.startedAt = status.startedAt;
  if (exit) Object.assign(observed, { exitCode: exit.code, finishedAt: exit.finishedAt }, exit.oomKilled ? { reason: 'OOMKilled' } : {});
  return observed;
}

export interface StartInput {
  pod: Pod;
  container: Container;
  attempt: number;
  volumes: PodVolumes;
  objects: PodObjects;
  facts: PodFacts;
  signal: AbortSignal;
}

/** Starts one attempt; resolves with its id when it runs. Rejects with a fault whose `details.reason` Kubernetes knows. */
export async function startAttempt(node: NodeContext, input: StartInput): Promise<string> {
  const { pod, container, attempt } = input;
  const { core, recorder } = node;
  const { uid, namespace, name } = pod.metadata;
  const image = await ensureImage(node, pod, container, input.objects, input.signal);
  const environment = await explain('CreateContainerConfigError', () => buildEnvironment(pod, container, input.objects, input.facts));
  const id = hex(node.random, 32);
  const logPath = join(podLogDirectory(node, namespace!, name!, uid!), container.name, `${attempt}.log`);
  mkdirSync(dirname(logPath), { recursive: true, mode: 0o755 });
  try {
    await core.snapshots.create(id, image.chain, { labels: { owner, [labelOf.node]: node.nodeName } });
    const rootfs = await core.snapshots.mount(id);
    const spec = await explain('CreateContainerConfigError', () =>
      buildContainerSpec({
        node, pod, container, attempt, id, image, imageName: container.image ?? '', rootfs, sandbox: core.sandboxes.get(uid!),
        volumes: input.volumes, environment, hash: hashOf(container), logPath,
      }),
    );
    rememberProcess(node, uid!, id, spec.process);
    await explain('RunContainerError', () => core.containers.create(spec));
    recorder.pod(pod, 'Normal', 'Created', `Container created`, container.name);
    await explain('RunContainerError', () => core.containers.start(id));
    recorder.pod(pod, 'Normal', 'Started', `Container started`, container.name);
    return id;
  } catch (error) {
    await discardAttempt(node, id);
    throw error;
  }
}

async function explain<T>(reason: string, step: () => Promise<T> | T): Promise<T> {
  try {
    return await step();
  } catch (error) {
    if (isFault(error) && typeof error.details['reason'] === 'string') throw error;
    const kind = isFault(error) ? error.kind : 'internal';
    throw new Fault(kind, messageOf(error), { cause: error, details: { ...(isFault(error) ? error.details : {}), reason } });
  }
}

/** Removes an attempt with its root file system and log. */
export async function discardAttempt(node: NodePlace, id: string): Promise<void> {
  const logPath = node.core.containers.get(id)?.logPath;
  await node.core.containers.remove(id);
  await node.core.snapshots.remove(id);
  if (logPath !== undefined) removeLog(logPath);
}

/** What an ended container says of its end: its termination message, or the end of its log where that is asked for. */
export function terminationMessage(node: NodeContext, pod: Pod, container: Container, ended: ObservedContainer, logPath: string): string {
  const written = readEnd(terminationLog(node, pod.metadata.uid!, container.name, ended.attempt), messageLimit);
  if (written !== '' || container.terminationMessagePolicy !== 'FallbackToLogsOnError' || ended.exitCode === 0) return written;
  const lines = readEnd(logPath, fallbackLimit * 4).split('\n').map((line) => line.replace(/^\S+ (stdout|stderr) [FP] /, ''));
  return lines.slice(-messageTailLines).join('\n').slice(-fallbackLimit);
}

/** The last `limit` bytes of a file; '' where there is none. */
function readEnd(path: string, limit: number): string {
  try {
    const fd = openSync(path, 'r');
    try {
      const buffer = Buffer.alloc(limit);
      const length = readSync(fd, buffer, 0, limit, Math.max(0, fstatSync(fd).size - limit));
      return buffer.subarray(0, length).toString('utf8');
    } finally {
      closeSync(fd);
    }
  } catch {
    return '';
  }
}

export async function removeLogs(node: NodeContext, namespace: string, name: string, uid: string): Promise<void> {
  await node.core.kernel.files.removeTree(podLogDirectory(node, namespace, name, uid));
}
