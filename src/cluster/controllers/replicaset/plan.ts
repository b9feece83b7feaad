import { matchesLabels, selectorOfMap } from '#api/kube/labels.ts';
import type { Pod, ReplicaSetCondition, ReplicaSetStatus } from '#api/kube/types.ts';
import { isoSeconds } from '#lib/clock.ts';
import { conditionOf, withCondition, withoutCondition } from '#cluster/machinery/conditions.ts';
import { sameJson } from '#cluster/machinery/equal.ts';
import { availableIn, isReadyPod } from '#cluster/machinery/pods.ts';
import { planText } from '../planned.ts';
import type { Replicated } from './kinds.ts';
import type { ObservedReplicas } from './observe.ts';
import { byDispensability } from './rank.ts';

/** Pods created or deleted in one go, at most; the rest comes when those are seen. */
export const burstReplicas = 500;

export type ReplicaOperation =
  | { do: 'adopt'; pod: Pod; cause: string }
  | { do: 'release'; pod: Pod; cause: string }
  | { do: 'create'; count: number; cause: string }
  | { do: 'delete'; pod: Pod; cause: string };

/** What brings the pods to the wanted number. */
export function planReplicas({ set, pods, adoptable, strays, perNode }: ObservedReplicas): ReplicaOperation[] {
  const plan: ReplicaOperation[] = [
    ...strays.map((pod): ReplicaOperation => ({ do: 'release', pod, cause: 'its labels do not match the selector any more' })),
    ...adoptable.map((pod): ReplicaOperation => ({ do: 'adopt', pod, cause: 'its labels match and nothing controls it' })),
  ];
  // Its pods are the garbage collector's now.
  if (set.metadata.deletionTimestamp !== undefined) return plan;
  const present = [...pods, ...adoptable];
  const wanted = set.spec.replicas;
  const cause = `${present.length} of ${wanted} wanted pods are there`;
  if (present.length < wanted) plan.push({ do: 'create', count: Math.min(wanted - present.length, burstReplicas), cause });
  const surplus = Math.min(present.length - wanted, burstReplicas);
  if (surplus > 0) for (const pod of byDispensability(present, perNode).slice(0, surplus)) plan.push({ do: 'delete', pod, cause });
  return plan;
}

/** The plan as text, an operation a line. */
export function printReplicaPlan(plan: readonly ReplicaOperation[]): string {
  return planText(plan.map((step) => ({ what: `${step.do} ${step.do === 'create' ? `${step.count} pods` : `pod ${step.pod.metadata.name}`}`, cause: step.cause })));
}

export interface ReplicaFailure {
  reason: 'FailedCreate' | 'FailedDelete';
  message: string;
}

/** The status that the pods show; the very same value where nothing changed. */
export function replicaStatus({ set, pods, terminating }: ObservedReplicas, failure: ReplicaFailure | undefined, now: number): ReplicaSetStatus {
  const template = selectorOfMap(set.spec.template?.metadata?.labels);
  const status: ReplicaSetStatus = {
    replicas: pods.length,
    fullyLabeledReplicas: pods.filter((pod) => matchesLabels(template, pod.metadata.labels)).length,
    readyReplicas: pods.filter(isReadyPod).length,
    availableReplicas: pods.filter((pod) => availableIn(pod, set.spec.minReadySeconds, now) === 0).length,
    observedGeneration: set.metadata.generation,
    conditions: conditionsAfter(set, failure, now),
  };
  if (set.kind === 'ReplicaSet') status.terminatingReplicas = terminating;
  for (const [field, value] of Object.entries(status)) if (value === 0 && field !== 'replicas') delete status[field as keyof ReplicaSetStatus];
  if (status.conditions?.length === 0) delete status.conditions;
  return sameJson(status, set.status) ? set.status : status;
}

function conditionsAfter(set: Replicated, failure: ReplicaFailure | undefined, now: number): ReplicaSetCondition[] {
  const { conditions } = set.status;
  if (!failure) return withoutCondition(conditions, 'ReplicaFailure');
  // Its message names what could not be created, which is another each time: told once.
  if (conditionOf(conditions, 'ReplicaFailure')?.reason === failure.reason) return [...(conditions ?? [])];
  return withCondition<ReplicaSetCondition>(conditions, { type: 'ReplicaFailure', status: 'True', ...failure }, isoSeconds(now));
}

/** When the next ready pod becomes available, in milliseconds from `now`; undefined if none will by itself. */
export function nextAvailability({ set, pods }: ObservedReplicas, now: number): number | undefined {
  const waits = pods.map((pod) => availableIn(pod, set.spec.minReadySeconds, now)).filter((wait) => wait !== undefined && wait > 0);
  return waits.length === 0 ? undefined : Math.min(...(waits as number[]));
}
