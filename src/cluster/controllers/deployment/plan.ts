import type { Deployment, ReplicaSet } from '#api/kube/types.ts';
import { sameJson } from '#cluster/machinery/equal.ts';
import { planText } from '../planned.ts';
import { availableOf, isRolling, leeway, newSetSize, proportionalSizes, shrunkOldSets, sizeOf, sum, wantedOf } from './numbers.ts';
import { newReplicaSet, newSetAnnotations, nextRevision, revisionOf, sizeAnnotations } from './revisions.ts';
import { isComplete } from './status.ts';
import { byAge, newSetOf } from './template.ts';
import type { DeploymentOperation, ObservedDeployment } from './types.ts';
import { desiredReplicasAnnotation, maxReplicasAnnotation, revisionAnnotation } from './types.ts';

/** The next operations of the rollout; more follow once their effect is seen. */
export function planDeployment({ deployment, sets, adoptable, strays, oldPodsRunning }: ObservedDeployment): DeploymentOperation[] {
  // Its replica sets are the garbage collector's now.
  if (deployment.metadata.deletionTimestamp !== undefined) return [];
  if (adoptable.length > 0 || strays.length > 0) {
    return [
      ...adoptable.map((set): DeploymentOperation => ({ do: 'adopt', set, cause: 'its labels match and nothing controls it' })),
      ...strays.map((set): DeploymentOperation => ({ do: 'release', set, cause: 'its labels do not match the selector any more' })),
    ];
  }
  const present = newSetOf(deployment, sets);
  const old = byAge(sets).filter((set) => set !== present);
  const noted = noteRevision(deployment, present, old);
  const onlyScales = deployment.spec.paused === true || (isRolling(deployment) && wantsOtherSize(deployment, sets));
  if (onlyScales) return [...noted, ...scaleOnly(deployment, present, old)];
  const rollout = isRolling(deployment) ? rollingUpdate(deployment, present, old) : recreate(deployment, present, old, oldPodsRunning);
  return [...noted, ...rollout, ...(rollout.length === 0 ? cleanUp(deployment, old) : [])];
}

/** The plan as text, an operation a line. */
export function printDeploymentPlan(plan: readonly DeploymentOperation[]): string {
  return planText(plan.map((step) => ({ what: whatOf(step), cause: step.cause })));
}

function whatOf(step: DeploymentOperation): string {
  if (step.do === 'note-revision') return `note revision ${step.revision}`;
  const what = `${step.do} ${step.set.metadata.name}`;
  if (step.do === 'create') return `${what} with ${sizeOf(step.set)} replicas`;
  return step.do === 'scale' ? `${what} from ${sizeOf(step.set)} to ${sizeOf(step.after)}` : what;
}

/** Keeps the new set's annotations and the deployment's revision up to date. */
function noteRevision(deployment: Deployment, present: ReplicaSet | undefined, old: readonly ReplicaSet[]): DeploymentOperation[] {
  if (!present) return [];
  const plan: DeploymentOperation[] = [];
  const all = newSetAnnotations(deployment, present, nextRevision(old));
  // The sizes are written where the set is scaled by them.
  const annotations = { ...all };
  for (const name of [desiredReplicasAnnotation, maxReplicasAnnotation]) {
    const before = present.metadata.annotations?.[name];
    if (before === undefined) delete annotations[name];
    else annotations[name] = before;
  }
  const { minReadySeconds } = deployment.spec;
  const after = { ...present, metadata: { ...present.metadata, annotations }, spec: { ...present.spec, minReadySeconds } };
  const same = sameJson(annotations, present.metadata.annotations ?? {}) && (minReadySeconds ?? 0) === (present.spec.minReadySeconds ?? 0);
  if (!same) plan.push({ do: 'annotate', set: present, after, cause: 'it has the present template' });
  const revision = annotations[revisionAnnotation] ?? '';
  if (deployment.metadata.annotations?.[revisionAnnotation] !== revision) {
    plan.push({ do: 'note-revision', revision, cause: `${present.metadata.name} has the present template` });
  }
  return plan;
}

function rollingUpdate(deployment: Deployment, present: ReplicaSet | undefined, old: readonly ReplicaSet[]): DeploymentOperation[] {
  const others = sum(old, sizeOf);
  if (!present) {
    const size = newSetSize(deployment, 0, others);
    return [{ do: 'create', set: newReplicaSet(deployment, size, nextRevision(old)), cause: 'no replica set has the present template' }];
  }
  const size = newSetSize(deployment, sizeOf(present), others);
  if (size !== sizeOf(present)) return [scaled(deployment, present, size, `at most ${wantedOf(deployment) + leeway(deployment).surge} pods may be there`)];
  const least = wantedOf(deployment) - leeway(deployment).unavailable;
  return shrunkOldSets(deployment, present, old).map(({ set, size: smaller }) => scaled(deployment, set, smaller, `at least ${least} pods stay available`));
}

function recreate(deployment: Deployment, present: ReplicaSet | undefined, old: readonly ReplicaSet[], oldPodsRunning: number): DeploymentOperation[] {
  const down = old.filter((set) => sizeOf(set) > 0).map((set) => scaled(deployment, set, 0, 'the old pods go first'));
  if (down.length > 0 || oldPodsRunning > 0) return down;
  const wanted = wantedOf(deployment);
  if (!present) return [{ do: 'create', set: newReplicaSet(deployment, wanted, nextRevision(old)), cause: 'the old pods are gone' }];
  return sizeOf(present) === wanted ? [] : [scaled(deployment, present, wanted, 'the old pods are gone')];
}

/** Whether the deployment was scaled since its sets were. */
function wantsOtherSize(deployment: Deployment, sets: readonly ReplicaSet[]): boolean {
  return sets.some((set) => {
    const before = set.metadata.annotations?.[desiredReplicasAnnotation];
    return sizeOf(set) > 0 && before !== undefined && Number(before) !== wantedOf(deployment);
  });
}

/** Follows the wanted number without moving the rollout on. */
function scaleOnly(deployment: Deployment, present: ReplicaSet | undefined, old: readonly ReplicaSet[]): DeploymentOperation[] {
  const wanted = wantedOf(deployment);
  const cause = `${wanted} replicas are wanted`;
  const all = present ? [...old, present] : [...old];
  const active = all.filter((set) => sizeOf(set) > 0);
  const only = active.length <= 1 ? (active[0] ?? present ?? all.sort((a, b) => revisionOf(a) - revisionOf(b)).at(-1)) : undefined;
  if (active.length <= 1) return only ? changed(deployment, [{ set: only, size: wanted }], cause) : [];
  if (present && sizeOf(present) === wanted && availableOf(present) === wanted) {
    return changed(deployment, old.filter((set) => sizeOf(set) > 0).map((set) => ({ set, size: 0 })), 'the new replica set has all that is wanted');
  }
  if (!isRolling(deployment)) return [];
  const maxBefore = (set: ReplicaSet): number => Number(set.metadata.annotations?.[maxReplicasAnnotation] ?? wanted + leeway(deployment).surge);
  return changed(deployment, proportionalSizes(deployment, active, maxBefore), cause);
}

/** Those whose size or size annotations are not so yet. */
function changed(deployment: Deployment, sizes: readonly { set: ReplicaSet; size: number }[], cause: string): DeploymentOperation[] {
  return sizes.map(({ set, size }) => scaled(deployment, set, size, cause)).filter(({ set, after }) => !sameJson(set, after));
}

function scaled(deployment: Deployment, set: ReplicaSet, replicas: number, cause: string): DeploymentOperation & { do: 'scale' } {
  const annotations = { ...set.metadata.annotations, ...sizeAnnotations(deployment) };
  return { do: 'scale', set, after: { ...set, metadata: { ...set.metadata, annotations }, spec: { ...set.spec, replicas } }, cause };
}

/** Forgets the oldest revisions beyond the limit, once the rollout is done. */
function cleanUp(deployment: Deployment, old: readonly ReplicaSet[]): DeploymentOperation[] {
  const limit = deployment.spec.revisionHistoryLimit ?? 10;
  if (!isComplete(deployment, deployment.status ?? {})) return [];
  const kept = old.filter((set) => set.metadata.deletionTimestamp === undefined).sort((a, b) => revisionOf(a) - revisionOf(b));
  const empty = (set: ReplicaSet): boolean => sizeOf(set) === 0 && (set.status?.replicas ?? 0) === 0 && (set.status?.observedGeneration ?? 0) >= (set.metadata.generation ?? 0);
  return kept.slice(0, Math.max(0, kept.length - limit)).filter(empty).map((set) => ({ do: 'delete', set, cause: `only ${limit} past revisions are kept` }));
}
