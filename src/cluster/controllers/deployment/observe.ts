import { matchesLabels, selectorOfObject } from '#api/kube/labels.ts';
import type { Deployment, Pod, ReplicaSet } from '#api/kube/types.ts';
import { isControlledBy } from '#cluster/machinery/owners.ts';
import { isFinishedPod } from '#cluster/machinery/pods.ts';
import type { Informer } from '#cluster/machinery/types.ts';
import { newSetOf } from './template.ts';
import type { ObservedDeployment } from './types.ts';

/** Index over replica sets: their namespace. */
export const setsByNamespace = 'deployment-namespace';
/** Index over pods: the uid of their controller. */
export const podsByController = 'deployment-controller';

export function observeDeployment(deployment: Deployment, replicaSets: Informer<ReplicaSet>, pods: Informer<Pod>): ObservedDeployment {
  const selector = selectorOfObject(deployment.spec.selector);
  const matches = (set: ReplicaSet): boolean => selector !== undefined && matchesLabels(selector, set.metadata.labels);
  const near = replicaSets.byIndex(setsByNamespace, deployment.metadata.namespace ?? '');
  const owned = near.filter((set) => isControlledBy(set, deployment));
  const sets = owned.filter(matches);
  const free = (set: ReplicaSet): boolean => set.metadata.ownerReferences?.some((reference) => reference.controller === true) !== true;
  const present = newSetOf(deployment, sets);
  const oldPods = sets.filter((set) => set !== present).flatMap((set) => pods.byIndex(podsByController, set.metadata.uid ?? ''));
  return {
    deployment,
    sets,
    adoptable: near.filter((set) => matches(set) && free(set) && set.metadata.deletionTimestamp === undefined),
    strays: owned.filter((set) => !matches(set)),
    oldPodsRunning: oldPods.filter((pod) => !isFinishedPod(pod)).length,
  };
}
