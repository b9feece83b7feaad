import { matchesLabels, selectorOfObject } from '#api/kube/labels.ts';
import type { Deployment, Pod, ReplicaSet } from '#api/kube/types.ts';
import { deployments as deploymentsRef, pods as podsRef, replicaSets as setsRef } from '#client/kube/resources.ts';
import { runController } from '#cluster/machinery/controller.ts';
import { controllerOf } from '#cluster/machinery/owners.ts';
import { OwnWrites } from '#cluster/machinery/own-writes.ts';
import { WorkQueue } from '#cluster/machinery/queue.ts';
import type { ControllerContext, ControllerFactory, Informer } from '#cluster/machinery/types.ts';
import { keyFor, keyOf } from '#cluster/machinery/types.ts';
import { component, executeDeployment } from './execute.ts';
import { observeDeployment, podsByController, setsByNamespace } from './observe.ts';
import { planDeployment, printDeploymentPlan } from './plan.ts';
import { deadlineIn, deploymentStatus } from './status.ts';

/** Deployments worked on at a time. */
const workers = 5;
/** When to look again at a deployment where what was written does not show yet, in milliseconds. */
const unseenMs = 60_000;
/** Index over deployments: their namespace. */
const byNamespace = 'deployment-namespace';

export const deploymentController: ControllerFactory = (context) => {
  const { clock, signal, log, informers } = context;
  const queue = new WorkQueue({ clock });
  const deployments = informers.of<Deployment>(deploymentsRef);
  const sets = informers.of<ReplicaSet>(setsRef);
  const pods = informers.of<Pod>(podsRef);
  const writes = { deployments: new OwnWrites(clock), sets: new OwnWrites(clock) };
  deployments.addIndex(byNamespace, (deployment) => [deployment.metadata.namespace ?? '']);
  sets.addIndex(setsByNamespace, (set) => [set.metadata.namespace ?? '']);
  pods.addIndex(podsByController, (pod) => [controllerOf(pod)?.uid ?? '']);
  deployments.onChange(({ type, object }) => {
    if (type === 'DELETED') for (const own of Object.values(writes)) own.forget(keyOf(object));
    queue.add(keyOf(object));
  });
  sets.onChange(({ type, object, old }) => {
    for (const set of old ? [object, old] : [object]) for (const key of ownersOf(set, deployments, type === 'DELETED')) queue.add(key);
  });
  // A Recreate goes on when the last old pod is gone.
  pods.onChange(({ type, object }) => {
    const owner = type === 'DELETED' ? controllerOf(object) : undefined;
    const set = owner && sets.get(keyFor(object.metadata.namespace, owner.name));
    for (const key of set ? ownersOf(set, deployments, true) : []) queue.add(key);
  });
  return {
    name: component,
    run: () => runController({
      name: component, queue, workers, signal, log, clock,
      synced: [deployments.synced, sets.synced, pods.synced],
      reconcile: (key) => reconcileDeployment(key, context, { deployments, sets, pods, writes }),
    }),
  };
};

interface Parts {
  deployments: Informer<Deployment>;
  sets: Informer<ReplicaSet>;
  pods: Informer<Pod>;
  /** Of deployments and of their sets, both by the deployment's key. */
  writes: { deployments: OwnWrites; sets: OwnWrites };
}

async function reconcileDeployment(key: string, context: ControllerContext, { deployments, sets, pods, writes }: Parts): Promise<number | undefined> {
  const { client, clock, log, signal } = context;
  const deployment = deployments.get(key);
  if (!deployment) return undefined;
  // By sizes older than the ones it gave itself it would let a rollout have too many pods, and say what it has said already.
  if (!writes.sets.seenBy(sets, key) || !writes.deployments.seenBy(deployments, key)) return unseenMs;
  const observed = observeDeployment(deployment, sets, pods);
  const plan = planDeployment(observed);
  if (plan.length > 0) log.child(component).debug('plan', { key, plan: printDeploymentPlan(plan) });
  const outcome = await executeDeployment(context, deployment, plan, {
    set: (set) => writes.sets.wrote(key, set),
    deployment: (changed) => writes.deployments.wrote(key, changed),
  });
  let status = deploymentStatus(deployment, observed.sets, clock.now());
  if (outcome === 'collision') status = { ...status, collisionCount: (status.collisionCount ?? 0) + 1 };
  if (status !== deployment.status) {
    const { name = '', namespace } = deployment.metadata;
    // Only the status is taken from a patch of the status, so what was written above stays.
    const patch = { type: 'json', body: [{ op: 'add', path: '/status', value: status }] } as const;
    writes.deployments.wrote(key, await client.patch<Deployment>(deploymentsRef, name, patch, { subresource: 'status', namespace, signal }));
  }
  return deadlineIn(deployment, clock.now());
}

/** The deployment that controls the set; where none does, those that might adopt it. */
function ownersOf(set: ReplicaSet, deployments: Informer<Deployment>, onlyController: boolean): string[] {
  const owner = controllerOf(set);
  if (owner) {
    const key = keyFor(set.metadata.namespace, owner.name);
    return deployments.get(key)?.metadata.uid === owner.uid ? [key] : [];
  }
  if (onlyController) return [];
  return deployments.byIndex(byNamespace, set.metadata.namespace ?? '').filter((deployment) => {
    const selector = selectorOfObject(deployment.spec.selector);
    return selector !== undefined && matchesLabels(selector, set.metadata.labels);
  }).map(keyOf);
}
