import type { Pod } from '#api/kube/types.ts';
import { matchesLabels } from '#api/kube/labels.ts';
import { controllerOf } from '#cluster/machinery/owners.ts';
import { isActivePod } from '#cluster/machinery/pods.ts';
import type { Informer } from '#cluster/machinery/types.ts';
import type { Replicated } from './kinds.ts';

/** Index over pods: the uid of their controller. */
export const byController = 'controller';
/** Index over pods: the namespace of those that nothing controls. */
export const uncontrolled = 'uncontrolled';

export interface ObservedReplicas {
  set: Replicated;
  /** Active pods that it controls and that its selector matches. */
  pods: readonly Pod[];
  /** Those of them that are being deleted. */
  terminating: number;
  /** Active pods that match and that nothing controls. */
  adoptable: readonly Pod[];
  /** Active pods that it controls and that do not match any more. */
  strays: readonly Pod[];
  /** How many pods of the same purpose (of all sets of the same owner) each node has. */
  perNode: ReadonlyMap<string, number>;
}

/** @param related pods of the sets that share this one's owner, for spreading what is given up */
export function observeReplicas(set: Replicated, pods: Informer<Pod>, related: readonly Pod[]): ObservedReplicas {
  const matches = (pod: Pod): boolean => set.selector !== undefined && matchesLabels(set.selector, pod.metadata.labels);
  const owned = pods.byIndex(byController, set.metadata.uid ?? '');
  const orphans = set.metadata.deletionTimestamp === undefined ? pods.byIndex(uncontrolled, set.metadata.namespace ?? '') : [];
  const perNode = new Map<string, number>();
  for (const pod of [...owned, ...related].filter(isActivePod)) {
    const node = pod.spec?.nodeName ?? '';
    perNode.set(node, (perNode.get(node) ?? 0) + 1);
  }
  return {
    set,
    pods: owned.filter((pod) => isActivePod(pod) && matches(pod)),
    terminating: owned.filter((pod) => pod.metadata.deletionTimestamp !== undefined && matches(pod)).length,
    adoptable: orphans.filter((pod) => isActivePod(pod) && matches(pod)),
    strays: owned.filter((pod) => isActivePod(pod) && !matches(pod)),
    perNode,
  };
}

/** Fills both indexes. */
export function indexPods(pods: Informer<Pod>): void {
  pods.addIndex(byController, (pod) => [controllerOf(pod)?.uid ?? '']);
  pods.addIndex(uncontrolled, (pod) => (controllerOf(pod) === undefined ? [pod.metadata.namespace ?? ''] : []));
}
