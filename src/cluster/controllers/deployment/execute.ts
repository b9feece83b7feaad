import type { Deployment, ReplicaSet } from '#api/kube/types.ts';
import { isFault, messageOf } from '#lib/errors.ts';
import { deployments as deploymentsRef, replicaSets as setsRef } from '#client/kube/resources.ts';
import { controllerReference, isControlledBy } from '#cluster/machinery/owners.ts';
import type { ControllerContext } from '#cluster/machinery/types.ts';
import { sizeOf } from './numbers.ts';
import { hasTemplate } from './template.ts';
import type { DeploymentOperation } from './types.ts';
import { desiredReplicasAnnotation, maxReplicasAnnotation, revisionAnnotation } from './types.ts';

export const component = 'deployment-controller';

/** Carries the plan out, in order. Says `collision` where the new set's name belongs to something else. */
export async function executeDeployment(context: ControllerContext, deployment: Deployment, plan: readonly DeploymentOperation[]): Promise<'collision' | undefined> {
  // A set that is annotated and scaled in one plan is written in between.
  const written = new Map<string, ReplicaSet>();
  for (const step of plan) {
    if (step.do === 'note-revision') await noteRevision(context, deployment, step.revision);
    else if (step.do === 'create') {
      if ((await create(context, deployment, step.set)) === 'collision') return 'collision';
    } else if (step.do === 'delete') await remove(context, step.set);
    else if (step.do === 'annotate' || step.do === 'scale') await write(context, deployment, step, written);
    else await changeOwner(context, deployment, step.set, step.do);
  }
  return undefined;
}

async function create({ client, events, signal }: ControllerContext, deployment: Deployment, set: ReplicaSet): Promise<'collision' | undefined> {
  const { name = '', namespace } = set.metadata;
  try {
    await client.create(setsRef, set, { namespace, signal });
  } catch (error) {
    if (!isFault(error, 'already-exists')) {
      events.record(component, deployment, 'Warning', 'ReplicaSetCreateError', `Failed to create new replica set "${name}": ${messageOf(error)}`);
      throw error;
    }
    // Either the copy is behind and this is what it will show, or another template has the same hash.
    const there = await client.get<ReplicaSet>(setsRef, name, namespace, { signal });
    return isControlledBy(there, deployment) && hasTemplate(there, deployment.spec.template) ? undefined : 'collision';
  }
  if (sizeOf(set) > 0) say(events, deployment, name, 0, sizeOf(set));
  return undefined;
}

async function write({ client, events, signal }: ControllerContext, deployment: Deployment, step: DeploymentOperation & { do: 'annotate' | 'scale' }, written: Map<string, ReplicaSet>): Promise<void> {
  const { set, after } = step;
  const { name = '', namespace, uid = '' } = set.metadata;
  const newest = written.get(uid);
  const sizes = Object.entries(after.metadata.annotations ?? {}).filter(([annotation]) => annotation === desiredReplicasAnnotation || annotation === maxReplicasAnnotation);
  const annotations = { ...newest?.metadata.annotations, ...Object.fromEntries(sizes) };
  const object = newest ? { ...newest, metadata: { ...newest.metadata, annotations }, spec: { ...newest.spec, replicas: after.spec.replicas } } : after;
  written.set(uid, await client.update(setsRef, object, { name, namespace, signal }));
  if (sizeOf(set) !== sizeOf(after)) say(events, deployment, name, sizeOf(set), sizeOf(after));
}

function say(events: ControllerContext['events'], deployment: Deployment, set: string, from: number, to: number): void {
  events.record(component, deployment, 'Normal', 'ScalingReplicaSet', `Scaled ${to > from ? 'up' : 'down'} replica set ${set} from ${from} to ${to}`);
}

async function noteRevision({ client, signal }: ControllerContext, deployment: Deployment, revision: string): Promise<void> {
  const { name = '', namespace } = deployment.metadata;
  // By the door of the status: what the controller notes is no new generation of what is wanted.
  const where = { namespace, subresource: 'status', signal };
  await client.patch(deploymentsRef, name, { type: 'merge', body: { metadata: { annotations: { [revisionAnnotation]: revision } } } }, where);
}

async function remove({ client, signal }: ControllerContext, { metadata: { name = '', namespace, uid } }: ReplicaSet): Promise<void> {
  try {
    await client.delete(setsRef, name, { namespace, preconditions: { uid }, propagationPolicy: 'Background', signal });
  } catch (error) {
    if (!isFault(error, 'not-found')) throw error;
  }
}

async function changeOwner({ client, signal }: ControllerContext, deployment: Deployment, set: ReplicaSet, what: 'adopt' | 'release'): Promise<void> {
  const { name = '', namespace, uid, resourceVersion, ownerReferences = [] } = set.metadata;
  const others = ownerReferences.filter((reference) => reference.uid !== deployment.metadata.uid);
  const after = what === 'adopt' ? [...others, controllerReference(deployment)] : others;
  const body = { metadata: { uid, resourceVersion, ownerReferences: after.length > 0 ? after : null } };
  await client.patch(setsRef, name, { type: 'merge', body }, { namespace, signal });
}
