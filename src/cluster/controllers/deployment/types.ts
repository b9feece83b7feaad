import type { Deployment, ReplicaSet } from '#api/kube/types.ts';

/**
 * A deployment rolls its template out: one *new* replica set has the present template, all others are *old*. A
 * rollout moves pods from the old to the new one. Each template that was ever rolled out has a *revision*, and
 * its replica set is kept, empty, so that it can be rolled back to: then it is simply the new one again.
 */
export interface ObservedDeployment {
  deployment: Deployment;
  /** The replica sets that it controls. */
  sets: readonly ReplicaSet[];
  /** Replica sets that match and that nothing controls. */
  adoptable: readonly ReplicaSet[];
  /** Replica sets that it controls and that do not match any more. */
  strays: readonly ReplicaSet[];
  /** Pods of old sets that have not ended: a `Recreate` waits for them. */
  oldPodsRunning: number;
}

export type DeploymentOperation =
  | { do: 'adopt' | 'release'; set: ReplicaSet; cause: string }
  | { do: 'create'; set: ReplicaSet; cause: string }
  /** Writes annotations and `minReadySeconds`; leaves the number alone. */
  | { do: 'annotate'; set: ReplicaSet; after: ReplicaSet; cause: string }
  | { do: 'scale'; set: ReplicaSet; after: ReplicaSet; cause: string }
  | { do: 'delete'; set: ReplicaSet; cause: string }
  | { do: 'note-revision'; revision: string; cause: string };

export const hashLabel = 'pod-template-hash';
export const annotationPrefix = 'deployment.kubernetes.io/';
export const revisionAnnotation = `${annotationPrefix}revision`;
export const revisionHistoryAnnotation = `${annotationPrefix}revision-history`;
export const desiredReplicasAnnotation = `${annotationPrefix}desired-replicas`;
export const maxReplicasAnnotation = `${annotationPrefix}max-replicas`;
