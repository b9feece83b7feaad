import { millisOfTime } from '#api/kube/time.ts';
import type { Deployment, DeploymentCondition, DeploymentStatus, ReplicaSet } from '#api/kube/types.ts';
import { isoSeconds } from '#lib/clock.ts';
import { conditionOf, withCondition, withoutCondition } from '#cluster/machinery/conditions.ts';
import { sameJson } from '#cluster/machinery/equal.ts';
import { availableOf, leeway, sizeOf, sum, wantedOf } from './numbers.ts';
import { newSetOf } from './template.ts';

/** The progress deadline that means none, as the API has it. */
const noDeadline = 2 ** 31 - 1;

/** Whether all pods are new and available. */
export function isComplete(deployment: Deployment, status: DeploymentStatus): boolean {
  const wanted = wantedOf(deployment);
  const same = [status.updatedReplicas, status.replicas, status.availableReplicas].every((count) => (count ?? 0) === wanted);
  return same && (status.observedGeneration ?? 0) >= (deployment.metadata.generation ?? 0);
}

/** The status that the sets show; the very same value where nothing changed. */
export function deploymentStatus(deployment: Deployment, sets: readonly ReplicaSet[], now: number): DeploymentStatus {
  const before = deployment.status ?? {};
  const present = newSetOf(deployment, sets);
  const available = sum(sets, availableOf);
  const counts: DeploymentStatus = {
    replicas: sum(sets, (set) => set.status?.replicas ?? 0),
    updatedReplicas: present?.status?.replicas ?? 0,
    readyReplicas: sum(sets, (set) => set.status?.readyReplicas ?? 0),
    availableReplicas: available,
    unavailableReplicas: Math.max(0, sum(sets, sizeOf) - available),
    terminatingReplicas: sum(sets, (set) => set.status?.terminatingReplicas ?? 0),
  };
  const shown = Object.fromEntries(Object.entries(counts).filter(([, count]) => count !== 0));
  const status: DeploymentStatus = { ...shown, observedGeneration: deployment.metadata.generation };
  if (before.collisionCount !== undefined) status.collisionCount = before.collisionCount;
  status.conditions = conditionsOf(deployment, status, sets, present, now);
  return sameJson(status, before) ? before : status;
}

function conditionsOf(deployment: Deployment, status: DeploymentStatus, sets: readonly ReplicaSet[], present: ReplicaSet | undefined, now: number): DeploymentCondition[] {
  const least = wantedOf(deployment) - leeway(deployment).unavailable;
  const enough = (status.availableReplicas ?? 0) >= least;
  let conditions = set(deployment.status?.conditions, {
    type: 'Available',
    status: enough ? 'True' : 'False',
    reason: enough ? 'MinimumReplicasAvailable' : 'MinimumReplicasUnavailable',
    message: `Deployment ${enough ? 'has' : 'does not have'} minimum availability.`,
  }, now);
  const failed = sets.map((one) => conditionOf(one.status?.conditions, 'ReplicaFailure')).find((condition) => condition?.status === 'True');
  conditions = failed
    ? set(conditions, { type: 'ReplicaFailure', status: 'True', reason: failed.reason ?? '', message: failed.message ?? '' }, now)
    : withoutCondition(conditions, 'ReplicaFailure');
  const progress = progressOf(deployment, status, present, now);
  if (progress === 'none') return withoutCondition(conditions, 'Progressing');
  return progress === 'same' ? conditions : set(withUpdate(conditions, progress), { type: 'Progressing', ...progress }, now);
}

interface Progress {
  status: string;
  reason: string;
  message: string;
}

/** What the rollout's progress is now: `same` where it shall not be told anew. */
function progressOf(deployment: Deployment, status: DeploymentStatus, present: ReplicaSet | undefined, now: number): Progress | 'same' | 'none' {
  const { paused, progressDeadlineSeconds: deadline = noDeadline } = deployment.spec;
  const current = conditionOf(deployment.status?.conditions, 'Progressing');
  if (deadline === noDeadline) return 'none';
  if (paused === true) {
    if (current?.reason === 'DeploymentPaused' || current?.reason === 'ProgressDeadlineExceeded') return 'same';
    return { status: 'Unknown', reason: 'DeploymentPaused', message: 'Deployment is paused' };
  }
  if (current?.reason === 'DeploymentPaused') return { status: 'Unknown', reason: 'DeploymentResumed', message: 'Deployment is resumed' };
  const what = present ? `ReplicaSet "${present.metadata.name}"` : `Deployment "${deployment.metadata.name}"`;
  const done = current?.reason === 'NewReplicaSetAvailable' && (status.replicas ?? 0) === (status.updatedReplicas ?? 0);
  if (done) return 'same';
  if (isComplete(deployment, status)) return { status: 'True', reason: 'NewReplicaSetAvailable', message: `${what} has successfully progressed.` };
  const before = current?.reason === 'NewReplicaSetAvailable' ? !current.message?.includes(`"${present?.metadata.name}"`) : current === undefined;
  if (before && present) return { status: 'True', reason: 'NewReplicaSetCreated', message: `Created new replica set "${present.metadata.name}"` };
  if (hasProgressed(deployment.status ?? {}, status)) return { status: 'True', reason: 'ReplicaSetUpdated', message: `${what} is progressing.` };
  if (current && deadlineIn(deployment, now) === 0) return { status: 'False', reason: 'ProgressDeadlineExceeded', message: `${what} has timed out progressing.` };
  return 'same';
}

function hasProgressed(before: DeploymentStatus, after: DeploymentStatus): boolean {
  const old = (status: DeploymentStatus): number => (status.replicas ?? 0) - (status.updatedReplicas ?? 0);
  const more = (['updatedReplicas', 'readyReplicas', 'availableReplicas'] as const).some((count) => (after[count] ?? 0) > (before[count] ?? 0));
  return more || old(after) < old(before);
}

/** Milliseconds until the rollout counts as stuck: 0 if it does; undefined where nothing is awaited. */
export function deadlineIn(deployment: Deployment, now: number): number | undefined {
  const { paused, progressDeadlineSeconds: deadline = noDeadline } = deployment.spec;
  const current = conditionOf(deployment.status?.conditions, 'Progressing');
  if (paused === true || deadline === noDeadline || current?.lastUpdateTime === undefined || current.reason === 'NewReplicaSetAvailable') return undefined;
  if (current.reason === 'ProgressDeadlineExceeded') return undefined;
  return Math.max(0, millisOfTime(current.lastUpdateTime) + deadline * 1000 - now);
}

/** Progress of the same reason begins its time anew. */
function withUpdate(conditions: DeploymentCondition[], progress: Progress): DeploymentCondition[] {
  const current = conditionOf(conditions, 'Progressing');
  if (current?.reason !== progress.reason) return conditions;
  return conditions.map((condition) => (condition === current ? { ...condition, reason: '' } : condition));
}

/** With its update time where it says something new. */
function set(conditions: readonly DeploymentCondition[] | undefined, condition: DeploymentCondition, now: number): DeploymentCondition[] {
  const before = conditionOf(conditions, condition.type);
  if (before?.status === condition.status && before.reason === condition.reason) return [...(conditions ?? [])];
  return withCondition(conditions, { ...condition, lastUpdateTime: isoSeconds(now) }, isoSeconds(now));
}
