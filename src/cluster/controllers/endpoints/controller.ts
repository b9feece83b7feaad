/** Endpoints of each service with a selector, as they were written before there were slices. */
import type { Endpoints } from '#api/kube/types.ts';
import { isFault } from '#lib/errors.ts';
import { endpoints as endpointsRef } from '#client/kube/resources.ts';
import type { KubeClient } from '#client/kube/types.ts';
import { runController } from '#cluster/machinery/controller.ts';
import { WorkQueue } from '#cluster/machinery/queue.ts';
import type { Controller, ControllerContext } from '#cluster/machinery/types.ts';
import { keyOf, parseKey } from '#cluster/machinery/types.ts';
import { planText } from '../planned.ts';
import { backendsOf, followServices, isManaged } from './observe.ts';
import type { Operation } from './plan.ts';
import { isOurs, planEndpoints } from './plan.ts';

const workers = 4;

export function endpointsController(context: ControllerContext): Controller {
  const { client, clock, log, signal, informers } = context;
  const queue = new WorkQueue({ clock });
  const observed = followServices(informers, queue);
  const held = informers.of<Endpoints>(endpointsRef);
  held.onChange(({ type, object }) => {
    const key = keyOf(object);
    // Who changes or deletes them by hand gets them back; that they are as written is not news. Those that come into
    // sight when their service is gone already were written while it went.
    if (observed.services.get(key) ? type !== 'ADDED' : type !== 'DELETED' && isOurs(object)) queue.add(key);
  });
  const reconcile = async (key: string): Promise<void> => {
    const service = observed.services.get(key);
    if (service && !isManaged(service)) return;
    const plan = planEndpoints(key, service, service ? backendsOf(service, observed) : [], held.get(key));
    if (plan.length > 0) log.debug(planText(plan), { controller: 'endpoints' });
    for (const operation of plan) await execute(client, key, operation);
  };
  const synced = [observed.services.synced, observed.pods.synced, held.synced];
  return { name: 'endpoints', run: () => runController({ name: 'endpoints', queue, workers, synced, reconcile, signal, log, clock }) };
}

async function execute(client: KubeClient, key: string, operation: Operation): Promise<void> {
  const { namespace, name } = parseKey(key);
  try {
    if (operation.do === 'create') await client.create(endpointsRef, operation.endpoints);
    else if (operation.do === 'update') await client.update(endpointsRef, operation.endpoints);
    else await client.delete(endpointsRef, name, { namespace });
  } catch (error) {
    // The namespace is going, or somebody made or deleted them already: the informer will show it.
    if (!isFault(error, 'not-found', 'already-exists') && !isTerminating(error)) throw error;
  }
}

/** A namespace that is being deleted takes nothing new. */
export function isTerminating(error: unknown): boolean {
  return isFault(error, 'forbidden') && /is being terminated/.test(error.message);
}
