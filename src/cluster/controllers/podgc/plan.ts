import type { Pod } from '#api/kube/types.ts';
import { isFinishedPod } from '#cluster/machinery/pods.ts';
import type { Planned } from '../planned.ts';

/** Pods that have ended and are kept, in the whole cluster; beyond it the oldest go. */
export const keptFinishedPods = 12_500;

export type PodGarbageOperation = Planned & { pod: Pod };

/** @param lost names of nodes that pods are bound to and that do not exist */
export function planPodGarbage(pods: readonly Pod[], lost: ReadonlySet<string>, kept = keptFinishedPods): PodGarbageOperation[] {
  const operations: PodGarbageOperation[] = [];
  const planned = new Set<Pod>();
  const remove = (pod: Pod, cause: string): void => {
    if (planned.has(pod)) return;
    planned.add(pod);
    operations.push({ pod, what: `delete pod ${pod.metadata.namespace}/${pod.metadata.name}`, cause });
  };
  for (const pod of pods) {
    const { nodeName = '' } = pod.spec;
    if (lost.has(nodeName)) remove(pod, `node ${nodeName} does not exist`);
    else if (nodeName === '' && pod.metadata.deletionTimestamp !== undefined) remove(pod, 'it is being deleted and runs nowhere');
  }
  const created = (pod: Pod): string => `${pod.metadata.creationTimestamp ?? ''}/${pod.metadata.name ?? ''}`;
  const finished = pods.filter((pod) => isFinishedPod(pod) && pod.metadata.deletionTimestamp === undefined && !planned.has(pod));
  const oldest = finished.sort((a, b) => (created(a) < created(b) ? -1 : 1)).slice(0, Math.max(0, finished.length - kept));
  for (const pod of oldest) remove(pod, `more than ${kept} pods have ended`);
  return operations;
}
