import type { Deployment, ReplicaSet } from '#api/kube/types.ts';
import { controllerReference } from '#cluster/machinery/owners.ts';
import { leeway, wantedOf } from './numbers.ts';
import { templateHash } from './template.ts';
import { annotationPrefix, desiredReplicasAnnotation, hashLabel, maxReplicasAnnotation, revisionAnnotation, revisionHistoryAnnotation } from './types.ts';

type Annotations = { [name: string]: string };

/** Past revisions that a set's history names, in characters. */
const historyCharacters = 2000;
const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration';

export function revisionOf(set: ReplicaSet): number {
  const revision = Number(set.metadata.annotations?.[revisionAnnotation] ?? '0');
  return Number.isSafeInteger(revision) ? revision : 0;
}

/** The revision that the present template gets: one more than any old set has. */
export function nextRevision(old: readonly ReplicaSet[]): number {
  return Math.max(0, ...old.map(revisionOf)) + 1;
}

/** The annotations of the new set: the deployment's, its revision, and the sizes it was scaled by. */
export function newSetAnnotations(deployment: Deployment, set: ReplicaSet | undefined, revision: number): Annotations {
  const own = Object.entries(deployment.metadata.annotations ?? {}).filter(([name]) => name !== lastApplied && !name.startsWith(annotationPrefix));
  const before = set?.metadata.annotations ?? {};
  const annotations: Annotations = { ...before, ...Object.fromEntries(own), ...sizeAnnotations(deployment) };
  const present = set ? revisionOf(set) : 0;
  annotations[revisionAnnotation] = String(Math.max(present, revision));
  if (set && present > 0 && present < revision) {
    const history = [...(before[revisionHistoryAnnotation]?.split(',') ?? []), String(present)];
    while (history.join(',').length > historyCharacters) history.shift();
    annotations[revisionHistoryAnnotation] = history.join(',');
  }
  return annotations;
}

export function sizeAnnotations(deployment: Deployment): Annotations {
  const wanted = wantedOf(deployment);
  return { [desiredReplicasAnnotation]: String(wanted), [maxReplicasAnnotation]: String(wanted + leeway(deployment).surge) };
}

/** A replica set for the deployment's present template. */
export function newReplicaSet(deployment: Deployment, replicas: number, revision: number): ReplicaSet {
  const { template, selector, minReadySeconds } = deployment.spec;
  const hash = templateHash(template, deployment.status?.collisionCount ?? 0);
  const labels = { ...template.metadata?.labels, [hashLabel]: hash };
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name: `${deployment.metadata.name}-${hash}`,
      namespace: deployment.metadata.namespace,
      labels,
      annotations: newSetAnnotations(deployment, undefined, revision),
      ownerReferences: [controllerReference(deployment)],
    },
    spec: {
      replicas,
      ...(minReadySeconds === undefined ? {} : { minReadySeconds }),
      selector: { ...selector, matchLabels: { ...selector.matchLabels, [hashLabel]: hash } },
      template: { ...template, metadata: { ...template.metadata, labels } },
    },
  };
}
