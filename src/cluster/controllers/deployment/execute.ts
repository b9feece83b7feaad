import type { Deployment, ReplicaSet } from '#api/kube/types.ts';
import { isFault, messageOf } from '#lib/errors.ts';
import { deployments as deploymentsRef, replicaSets as setsRef } from '#client/kube/resources.ts';
import { answered } from '#cluster/machinery/answered.ts';
import { controllerReference, isControlledBy } from '#cluster/machinery/owners.ts';
import type { ControllerContext } from '#cluster/machinery/types.ts';
import { sizeOf } from './numbers.ts';
import { hasTemplate } from './template.ts';
import type { DeploymentOperation } from './types.ts';
import { desiredReplicasAnnotation, maxReplicasAnnotation, revisionAnnotation } from './types.ts';

export const component = 'deployment-controller';

/** Hears of each object as it was written. */
interface Wrote {
  set(set: ReplicaSet): void;
  deployment(deployment: Deployment): void;
}

/**
 * Carries the plan out, in order. Says `collision` where the new set's name belongs to something else.
 */
export async function executeDeployment(context: ControllerContext, deployment: Deployment, plan: readonly DeploymentOperation[], wrote: Wrote): Promise<'collision' | undefined> {
  // A set that is annotated and scaled in one plan is written in between.
  const written = new Map<string, ReplicaSet>();
  for (const step of plan) {
    if (step.do === 'note-revision') wrote.deployment(await noteRevision(context, deployment, step.revision));
    else if (step.do === 'create') {
      const created = await create(context, deployment, step.set);
      if (created === 'collision') return 'collision';
      wrote.set(created);
    } else if (step.do === 'delete') await remove(context, step.set);
    else if (step.do === 'annotate' || step.do === 'scale') wrote.set(await write(context, deployment, step, written));
    else wrote.set(await changeOwner(context, deployment, step.set, step.do));
  }
  return undefined;
}

/** The set that is there now. */
async function create({ client, events, signal }: ControllerContext, deployment: Deployment, set: ReplicaSet): Promise<ReplicaSet | 'collision'> {
  const { name = '', namespace } = set.metadata;
  let created: ReplicaSet;
  try {
    created = await answered(() => client.create(setsRef, set, { namespace, signal }));
  } catch (error) {
    if (!isFault(error, 'already-exists')) {
      events.record(component, deployment, 'Warning', 'ReplicaSetCreateError', `Failed to create new replica set "${name}": ${messageOf(error)}`);
      throw error;
    }
    // Either the copy is behind and this is what it will show, or another template has the same hash.
    const there = await client.get<ReplicaSet>(setsRef, name, namespace, { signal });
    return isControlledBy(there, deployment) && hasTemplate(there, deployment.spec.template) ? there : 'collision';
  }
  if (sizeOf(set) > 0) say(events, deployment, name, 0, sizeOf(set));
  return created;
}

async function write({ client, events, signal }: ControllerContext, deployment: Deployment, step: DeploymentOperation & { do: 'annotate' | 'scale' }, written: Map<string, ReplicaSet>): Promise<ReplicaSet> {
  const { set, after } = step;
  const { name = '', namespace, uid = '' } = set.metadata;
  const newest = written.get(uid);
  const sizes = Object.entries(after.metadata.annotations ?? {}).filter(([annotation]) => annotation === desiredReplicasAnnotation || annotation === maxReplicasAnnotation);
  const annotations = { ...newest?.metadata.annotations, ...Object.fromEntries(sizes) };
  const object = newest ? { ...newest, metadata: { ...newest.metadata, annotations }, spec: { ...newest.spec, replicas: after.spec.replicas } } : after;
  const updated = await answered(() => client.update(setsRef, object, { name, namespace, signal }));
  written.set(uid, updated);
  if (sizeOf(set) !== sizeOf(after)) say(events, deployment, name, sizeOf(set), sizeOf(after));
  return updated;
}

function say(events: ControllerContext['events'], deployment: Deployment, set: string, from: number, to: number): void {
  events.record(component, deployment, 'Normal', 'ScalingReplicaSet', `Scaled ${to > from ? 'up' : 'down'} replica set ${set} from ${from} to ${to}`);
}

async function noteRevision({ client, signal }: ControllerContext, deployment: Deployment, revision: string): Promise<Deployment> {
  const { name = '', namespace } = deployment.metadata;
  // By the door of the status: what the controller notes is no new generation of what is wanted.
  const where = { namespace, subresource: 'status', signal };
  return client.patch<Deployment>(deploymentsRef, name, { type: 'merge', body: { metadata: { annotations: { [revisionAnnotation]: revision } } } }, where);
}

async function remove({ client, signal }: ControllerContext, { metadata: { name = '', namespace, uid } }: ReplicaSet): Promise<void> {
  try {
    await client.delete(setsRef, name, { namespace, preconditions: { uid }, propagationPolicy: 'Background', signal });
  } catch (error) {
    if (!isFault(error, 'not-found')) throw error;
  }
}

async function changeOwner({ client, signal }: ControllerContext, deployment: Deployment, set: ReplicaSet, what: 'adopt' | 'release'): Promise<ReplicaSet> {
  const { name = '', namespace, uid, resourceVersion, ownerReferences = [] } = set.metadata;
  const others = ownerReferences.filter((reference) => reference.uid !== deployment.metadata.uid);
  const after = what === 'adopt' ? [...others, controllerReference(deployment)] : others;
  const body = { metadata: { uid, resourceVersion, ownerReferences: after.length > 0 ? after : null } };
  return client.patch<ReplicaSet>(setsRef, name, { type: 'merge', body }, { namespace, signal });
}
