/** Deletes what nobody owns any more, and carries out the deletions that wait for, or release, what is owned. */
import { isFault } from '#lib/errors.ts';
import { runController } from '#cluster/machinery/controller.ts';
import { sameJson } from '#cluster/machinery/equal.ts';
import { WorkQueue } from '#cluster/machinery/queue.ts';
import type { ApiObject, Controller, ControllerContext, ObjectChange } from '#cluster/machinery/types.ts';
import type { Served } from '../discovery.ts';
import { discover } from '../discovery.ts';
import { planText } from '../planned.ts';
import type { Item } from './graph.ts';
import { OwnershipGraph, ownersOf, uidOf } from './graph.ts';
import { Owners } from './observe.ts';
import type { Operation } from './plan.ts';
import { isOrphaning, isWaiting, planItem } from './plan.ts';

const workers = 16;
/** A deletion that waits for what no informer has shown is looked at again after this long, in milliseconds. */
const unshownMs = 1000;
/** Neither own nor are owned, and are many. */
const ignored = new Set(['events']);

export function garbageController(context: ControllerContext): Controller {
  return { name: 'garbagecollector', run: () => new GarbageCollector(context).run() };
}

class GarbageCollector {
  readonly #context: ControllerContext;
  /** Keys are uids: an object of the same name is another one. */
  readonly #queue: WorkQueue;
  readonly #graph = new OwnershipGraph();
  readonly #owners: Owners;

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#queue = new WorkQueue({ clock: context.clock });
    this.#owners = new Owners(context.client, this.#graph);
  }

  async run(): Promise<void> {
    const { clock, log, signal, informers } = this.#context;
    const served = (await discover(this.#context)).filter(({ ref }) => !ignored.has(ref.resource));
    if (signal.aborted) return;
    this.#owners.serve(served);
    const synced = served.map((one) => {
      const informer = informers.of<ApiObject>(one.ref);
      informer.onChange((change) => this.#note(one, change));
      return informer.synced;
    });
    const reconcile = (uid: string): Promise<number | undefined> => this.#reconcile(uid);
    await runController({ name: 'garbagecollector', queue: this.#queue, workers, synced, reconcile, signal, log, clock });
  }

  #note(served: Served, { type, object }: ObjectChange<ApiObject>): void {
    const item = { served, object };
    const uid = uidOf(item);
    const before = this.#graph.get(uid);
    if (type === 'DELETED') {
      this.#graph.delete(uid);
      this.#owners.gone(uid);
      for (const dependent of this.#graph.dependentsOf(uid)) this.#queue.add(uidOf(dependent));
    } else {
      this.#graph.set(item);
      // Most changes are of what it does, not of whose it is.
      if (before && sameJson(ownership(before), ownership(item))) return;
      if (ownersOf(item).length > 0 || isWaiting(item) || isOrphaning(item)) this.#queue.add(uid);
      if (isWaiting(item) && !(before && isWaiting(before))) {
        for (const dependent of this.#graph.dependentsOf(uid)) this.#queue.add(uidOf(dependent));
      }
    }
    // An owner that waits for it, or lets it go, may be done.
    const owners = new Set([...ownersOf(item), ...(before ? ownersOf(before) : [])].map((owner) => owner.uid));
    for (const owner of owners) {
      const held = this.#graph.get(owner);
      if (held && (isWaiting(held) || isOrphaning(held))) this.#queue.add(owner);
    }
  }

  async #reconcile(uid: string): Promise<number | undefined> {
    const { log, signal } = this.#context;
    const item = this.#graph.get(uid);
    if (!item) return undefined;
    const owners = await this.#owners.of(item, signal);
    // It may have changed while owners were asked for. Only what `#note` takes for news brings it here again.
    const newest = this.#graph.get(uid);
    if (!newest || !sameJson(ownership(newest), ownership(item))) return undefined;
    const shown = planItem(newest, owners, this.#graph.dependentsOf(uid));
    const plan = shown.some(isFinish) ? planItem(newest, owners, await this.#owners.dependentsOf(newest, signal)) : shown;
    if (plan.length > 0) log.debug(planText(plan), { controller: 'garbagecollector' });
    for (const operation of plan) await this.#execute(operation);
    // What no informer has shown may be free, or gone, before one does.
    return shown.some(isFinish) && !plan.some(isFinish) ? unshownMs : undefined;
  }

  async #execute(operation: Operation): Promise<void> {
    const { client, signal } = this.#context;
    const { served: { ref }, object: { metadata } } = operation.item;
    const { name = '', namespace, uid, resourceVersion } = metadata;
    const write = (fields: object): Promise<ApiObject> =>
      client.patch<ApiObject>(ref, name, { type: 'merge', body: { metadata: { uid, resourceVersion, ...fields } } }, { namespace, signal });
    try {
      if (operation.do === 'delete') {
        // As it was seen: an owner that was given to it meanwhile saves it.
        await client.delete(ref, name, { namespace, propagationPolicy: operation.policy, preconditions: { uid, resourceVersion }, signal });
      } else if (operation.do === 'own') {
        await write({ ownerReferences: operation.references });
      } else {
        await write({ finalizers: (metadata.finalizers ?? []).filter((finalizer) => finalizer !== operation.finalizer) });
      }
    } catch (error) {
      if (!isFault(error, 'not-found')) throw error;
    }
  }
}

const isFinish = (operation: Operation): boolean => operation.do === 'finish';

/** What of an object decides whether it stays. */
function ownership({ object: { metadata } }: Item): unknown {
  return [metadata.ownerReferences, metadata.finalizers, metadata.deletionTimestamp];
}
