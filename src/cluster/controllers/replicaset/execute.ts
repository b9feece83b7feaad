import { generatedName } from '#api/kube/names.ts';
import type { Pod } from '#api/kube/types.ts';
import { isFault, messageOf } from '#lib/errors.ts';
import type { Random } from '#lib/random.ts';
import { pods as podsRef } from '#client/kube/resources.ts';
import { answered, createAnswered } from '#cluster/machinery/answered.ts';
import type { Expectations } from '#cluster/machinery/expectations.ts';
import { controllerReference } from '#cluster/machinery/owners.ts';
import type { ControllerContext } from '#cluster/machinery/types.ts';
import { keyOf } from '#cluster/machinery/types.ts';
import type { Replicated, ReplicatedKind } from './kinds.ts';
import type { ReplicaFailure, ReplicaOperation } from './plan.ts';

export interface ReplicaExecutor {
  context: ControllerContext;
  expectations: Expectations;
  kind: Pick<ReplicatedKind<never>, 'component' | 'ref'>;
}

/** Carries the plan out; gives the failure that its status shall tell, if there was one. */
export async function executeReplicas(by: ReplicaExecutor, set: Replicated, plan: readonly ReplicaOperation[]): Promise<ReplicaFailure | undefined> {
  let failure: ReplicaFailure | undefined;
  for (const step of plan) if (step.do === 'adopt' || step.do === 'release') await changeOwner(by, set, step);
  for (const step of plan) if (step.do === 'create') failure = await createPods(by, set, step.count);
  const deletions = plan.filter((step) => step.do === 'delete');
  const failures = await Promise.all(deletions.map(({ pod }) => deletePod(by, set, pod)));
  return failure ?? failures.find((f) => f !== undefined);
}

/** Slowly at first: 1, 2, 4…, so that what cannot be created is not tried hundreds of times. */
async function createPods(by: ReplicaExecutor, set: Replicated, count: number): Promise<ReplicaFailure | undefined> {
  const { expectations } = by;
  const key = keyOf(set);
  for (let done = 0, batch = 1; done < count; done += batch, batch *= 2) {
    batch = Math.min(batch, count - done);
    expectations.expectCreations(key, batch);
    const failures = await Promise.all(Array.from({ length: batch }, () => createPod(by, set)));
    const failure = failures.find((f) => f !== undefined);
    if (failure) return failure;
  }
  return undefined;
}

async function createPod({ context, expectations, kind }: ReplicaExecutor, set: Replicated): Promise<ReplicaFailure | undefined> {
  const { client, events, random, signal } = context;
  try {
    const { metadata } = await createAnswered(client, podsRef, podOf(set, random), signal);
    events.record(kind.component, set, 'Normal', 'SuccessfulCreate', `Created pod: ${metadata.name}`);
    return undefined;
  } catch (error) {
    expectations.creationFailed(keyOf(set), error);
    // In a namespace that goes away there is nothing to say, and nothing to try again.
    const message = `Error creating: ${messageOf(error)}`;
    if (!isFault(error, 'not-found') && !/being terminated/.test(message)) events.record(kind.component, set, 'Warning', 'FailedCreate', message);
    return { reason: 'FailedCreate', message: messageOf(error) };
  }
}

function podOf(set: Replicated, random: Random): Pod {
  const { metadata: template, spec } = set.spec.template ?? {};
  const { labels, annotations, finalizers } = template ?? {};
  const generateName = `${set.metadata.name}-`;
  const metadata = {
    // Named here, so that a creation that was not answered can be told from another.
    name: generatedName(generateName, random),
    generateName,
    namespace: set.metadata.namespace,
    ...(labels && { labels }),
    ...(annotations && { annotations }),
    ...(finalizers && { finalizers }),
    ownerReferences: [controllerReference(set)],
  };
  return { apiVersion: 'v1', kind: 'Pod', metadata, spec: spec ?? { containers: [] } };
}

async function deletePod({ context, expectations, kind }: ReplicaExecutor, set: Replicated, pod: Pod): Promise<ReplicaFailure | undefined> {
  const { client, events, signal } = context;
  const { name = '', namespace, uid = '' } = pod.metadata;
  expectations.expectDeletion(keyOf(set), uid);
  try {
    await answered(() => client.delete(podsRef, name, { namespace, preconditions: { uid }, signal }));
    events.record(kind.component, set, 'Normal', 'SuccessfulDelete', `Deleted pod: ${name}`);
    return undefined;
  } catch (error) {
    expectations.deletionFailed(keyOf(set), uid, error);
    if (isFault(error, 'not-found', 'conflict')) return undefined;
    events.record(kind.component, set, 'Warning', 'FailedDelete', `Error deleting: ${messageOf(error)}`);
    return { reason: 'FailedDelete', message: messageOf(error) };
  }
}

async function changeOwner({ context }: ReplicaExecutor, set: Replicated, { do: what, pod }: { do: 'adopt' | 'release'; pod: Pod }): Promise<void> {
  const { client, signal } = context;
  const { name = '', namespace, uid, resourceVersion, ownerReferences = [] } = pod.metadata;
  const others = ownerReferences.filter((reference) => reference.uid !== set.metadata.uid);
  const after = what === 'adopt' ? [...others, controllerReference(set)] : others;
  // The version makes it fail where somebody else has taken the pod meanwhile.
  const body = { metadata: { uid, resourceVersion, ownerReferences: after.length > 0 ? after : null } };
  try {
    await client.patch(podsRef, name, { type: 'merge', body }, { namespace, signal });
  } catch (error) {
    if (!isFault(error, 'not-found')) throw error;
  }
}
