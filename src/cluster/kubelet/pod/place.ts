/** A pod's place on the node: directories, sandbox, network, cgroup. */
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Pod } from '#api/kube/types.ts';
import type { PodFacts } from '../container/fields.ts';
import { podShares } from '../container/resources.ts';
import { podCgroup } from '../container/spec.ts';
import { labelOf, owner } from '../types.ts';
import type { NodeContext, NodePlace } from '../types.ts';
import { podDirectory, removePodDirectory } from '../volumes/manager.ts';
import type { PodVolumes } from '../volumes/manager.ts';
import { discardAttempt, removeLogs } from './attempts.ts';
import { writePodFiles } from './files.ts';
import { ensureSandbox, releaseSandbox } from './sandbox.ts';

/** Makes what is missing: sandbox with network, files, volumes. */
export async function prepareNode(node: NodeContext, pod: Pod, volumes: PodVolumes, facts: PodFacts): Promise<void> {
  // first, for it tells of what else is made here
  mkdirSync(podDirectory(node, pod.metadata.uid!), { recursive: true, mode: 0o755 });
  weighPod(node, pod);
  const placed = ensureSandbox(node, pod).then((address) => writePodFiles(join(podDirectory(node, pod.metadata.uid!), 'etc'), pod, address, node.nodeName, node));
  // tokens come from the API server meanwhile
  const results = await Promise.allSettled([placed, volumes.setUp(pod, facts)]);
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}

/** Containers share what their pod's group gets: without a weight of its own all pods would get the same. */
function weighPod(node: NodeContext, pod: Pod): void {
  const { cgroups } = node.core.kernel;
  const group = podCgroup(node, pod.metadata.uid!);
  if (!cgroups.exists(group)) cgroups.create(group);
  cgroups.update(group, { cpuShares: podShares(pod) });
}

/** The network is given back; containers that ended, with logs, and volumes stay. */
export function releaseNode(node: NodeContext, uid: string): Promise<void> {
  return releaseSandbox(node, uid);
}

export async function tearDownNode(node: NodeContext, pod: Pod, volumes: PodVolumes): Promise<void> {
  const { uid, namespace, name } = pod.metadata;
  await clearNode(node, uid!);
  volumes.forget();
  await removeLogs(node, namespace!, name!, uid!);
}

/** Removes containers, sandbox, cgroup and directory of a pod that may be known by its uid alone. */
export async function clearNode(node: NodePlace, uid: string): Promise<void> {
  for (const { id, labels } of node.core.containers.list({ owner })) {
    if (labels[labelOf.uid] === uid && labels[labelOf.node] === node.nodeName) await discardAttempt(node, id);
  }
  await releaseSandbox(node, uid);
  const cgroup = podCgroup(node, uid);
  if (node.core.kernel.cgroups.exists(cgroup)) await node.core.kernel.cgroups.remove(cgroup);
  await removePodDirectory(node, uid);
}

export function somethingLeft(node: NodeContext, uid: string): boolean {
  const { sandboxes, containers } = node.core;
  return sandboxes.get(uid) !== undefined || existsSync(podDirectory(node, uid)) || containers.list({ owner }).some(({ labels }) => labels[labelOf.uid] === uid);
}
