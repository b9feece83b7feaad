import { matchesLabels } from '#api/kube/labels.ts';
import type { Pod, ReplicaSet, ReplicationController } from '#api/kube/types.ts';
import { Fault } from '#lib/errors.ts';
import { pods as podsRef } from '#client/kube/resources.ts';
import { runController } from '#cluster/machinery/controller.ts';
import { Expectations } from '#cluster/machinery/expectations.ts';
import { controllerOf } from '#cluster/machinery/owners.ts';
import { OwnWrites } from '#cluster/machinery/own-writes.ts';
import { WorkQueue } from '#cluster/machinery/queue.ts';
import type { ApiObject, Controller, ControllerContext, ControllerFactory, Informer, ObjectChange } from '#cluster/machinery/types.ts';
import { keyFor, keyOf } from '#cluster/machinery/types.ts';
import { executeReplicas } from './execute.ts';
import type { ReplicatedKind } from './kinds.ts';
import { replicaSetKind, replicationControllerKind } from './kinds.ts';
import { byController, indexPods, observeReplicas } from './observe.ts';
import { nextAvailability, planReplicas, printReplicaPlan, replicaStatus } from './plan.ts';

/** Sets worked on at a time. */
const workers = 8;
/** When to look again at a set where what was created, deleted or written has not all been seen, in milliseconds. */
const unmetMs = 60_000;
/** Index over sets: the uid of their controller, and the namespace. */
const byOwner = 'replicaset-owner';
const byNamespace = 'replicaset-namespace';

export const replicaSetController: ControllerFactory = (context) => replicaController<ReplicaSet>(context, replicaSetKind);
export const replicationControllerController: ControllerFactory = (context) => replicaController<ReplicationController>(context, replicationControllerKind);

function replicaController<T extends ApiObject>(context: ControllerContext, kind: ReplicatedKind<T>): Controller {
  const { clock, signal, log, informers } = context;
  const queue = new WorkQueue({ clock });
  const expectations = new Expectations(clock);
  const writes = new OwnWrites(clock);
  const sets = informers.of<T>(kind.ref);
  const pods = informers.of<Pod>(podsRef);
  indexPods(pods);
  sets.addIndex(byOwner, (set) => [controllerOf(set)?.uid ?? '']);
  sets.addIndex(byNamespace, (set) => [set.metadata.namespace ?? '']);
  sets.onChange((change) => {
    const key = keyOf(change.object);
    if (change.type === 'DELETED') {
      expectations.forget(key);
      writes.forget(key);
    }
    queue.add(key);
  });
  pods.onChange((change) => followPod(change, { kind, sets, queue, expectations }));
  const reconcile = (key: string): Promise<number | undefined> => reconcileSet(key, { context, kind, sets, pods, expectations, writes });
  return {
    name: kind.component,
    run: () => runController({ name: kind.component, queue, workers, synced: [sets.synced, pods.synced], reconcile, signal, log, clock }),
  };
}

interface Parts<T extends ApiObject> {
  context: ControllerContext;
  kind: ReplicatedKind<T>;
  sets: Informer<T>;
  pods: Informer<Pod>;
  expectations: Expectations;
  /** Of the sets' status. */
  writes: OwnWrites;
}

async function reconcileSet<T extends ApiObject>(key: string, { context, kind, sets, pods, expectations, writes }: Parts<T>): Promise<number | undefined> {
  const { client, clock, log, signal } = context;
  const object = sets.get(key);
  if (!object) return undefined;
  if (!writes.seenBy(sets, key)) return unmetMs;
  const set = kind.read(object);
  const owner = controllerOf(set)?.uid;
  const siblings = owner === undefined ? [] : sets.byIndex(byOwner, owner).filter((other) => other !== object);
  const related = siblings.flatMap((sibling) => pods.byIndex(byController, sibling.metadata.uid ?? ''));
  const observed = observeReplicas(set, pods, related);
  // While the copy is behind, only the status is told.
  const met = expectations.met(key);
  const plan = met ? planReplicas(observed) : [];
  if (plan.length > 0) log.child(kind.component).debug('plan', { key, plan: printReplicaPlan(plan) });
  const failure = await executeReplicas({ context, expectations, kind }, set, plan);
  const status = replicaStatus(observed, failure, clock.now());
  if (status !== set.status && set.metadata.deletionTimestamp === undefined) {
    const updated = await client.update<T>(kind.ref, { ...object, status }, { subresource: 'status', name: set.metadata.name, namespace: set.metadata.namespace, signal });
    writes.wrote(key, updated);
  }
  if (failure) throw new Fault('unavailable', `pods of ${set.kind} ${key}: ${failure.message}`);
  const again = nextAvailability(observed, clock.now());
  return met ? again : Math.min(again ?? Infinity, unmetMs);
}

interface Followed<T extends ApiObject> {
  kind: ReplicatedKind<T>;
  sets: Informer<T>;
  queue: WorkQueue;
  expectations: Expectations;
}

/** Tells the set that controls the pod, the one that did, or, if none does, those that might. */
function followPod<T extends ApiObject>(change: ObjectChange<Pod>, { kind, sets, queue, expectations }: Followed<T>): void {
  const { object: pod, old } = change;
  const key = ownerKey(sets, pod);
  if (key !== undefined) {
    if (change.type === 'ADDED') expectations.creationEnded(key);
    if (change.type === 'DELETED' || pod.metadata.deletionTimestamp !== undefined) expectations.deletionEnded(key, pod.metadata.uid ?? '');
    queue.add(key);
  }
  const before = old && ownerKey(sets, old);
  if (before !== undefined && before !== key) queue.add(before);
  if (controllerOf(pod) !== undefined || change.type === 'DELETED') return;
  for (const set of sets.byIndex(byNamespace, pod.metadata.namespace ?? '')) {
    const { selector } = kind.read(set);
    if (selector && matchesLabels(selector, pod.metadata.labels)) queue.add(keyOf(set));
  }
}

function ownerKey<T extends ApiObject>(sets: Informer<T>, pod: Pod): string | undefined {
  const owner = controllerOf(pod);
  if (!owner) return undefined;
  const key = keyFor(pod.metadata.namespace, owner.name);
  return sets.get(key)?.metadata.uid === owner.uid ? key : undefined;
}
