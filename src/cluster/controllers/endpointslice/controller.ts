/** Endpoint slices of each service with a selector: what the service proxy and DNS go by. */
import type { EndpointSlice } from '#api/kube/types.ts';
import { isFault } from '#lib/errors.ts';
import { endpointSlices as slicesRef } from '#client/kube/resources.ts';
import { runController } from '#cluster/machinery/controller.ts';
import { Expectations } from '#cluster/machinery/expectations.ts';
import { WorkQueue } from '#cluster/machinery/queue.ts';
import type { Controller, ControllerContext } from '#cluster/machinery/types.ts';
import { keyFor } from '#cluster/machinery/types.ts';
import { isTerminating } from '../endpoints/controller.ts';
import { backendsOf, followServices, isManaged } from '../endpoints/observe.ts';
import { planText } from '../planned.ts';
import { managedByLabel, manager, planSlices, serviceNameLabel } from './plan.ts';
import type { Operation } from './plan.ts';

const workers = 4;
const byService = 'service';

export function endpointSliceController(context: ControllerContext): Controller {
  const { clock, log, signal, informers } = context;
  const queue = new WorkQueue({ clock });
  const observed = followServices(informers, queue);
  const slices = informers.of<EndpointSlice>(slicesRef);
  const expected = new Expectations(clock);
  slices.addIndex(byService, (slice) => serviceOf(slice) ?? []);
  slices.onChange(({ type, object }) => {
    for (const key of serviceOf(object) ?? []) {
      if (type === 'ADDED') expected.creationEnded(key);
      queue.add(key);
    }
  });
  const reconcile = async (key: string): Promise<void> => {
    const service = observed.services.get(key);
    // A slice of ours that is on its way would be made twice; its coming brings the key back.
    if (!expected.met(key) || (service && !isManaged(service))) return;
    const plan = planSlices(service, service ? backendsOf(service, observed) : [], slices.byIndex(byService, key));
    if (plan.length > 0) log.debug(planText(plan), { controller: 'endpointslice', service: key });
    for (const operation of plan) await execute(context, key, operation, expected);
    if (!service) expected.forget(key);
  };
  const synced = [observed.services.synced, observed.pods.synced, slices.synced];
  return { name: 'endpointslice', run: () => runController({ name: 'endpointslice', queue, workers, synced, reconcile, signal, log, clock }) };
}

/** The key of the service whose slice this controller made; slices that others make are left alone. */
function serviceOf({ metadata: { namespace, labels = {} } }: EndpointSlice): [string] | undefined {
  const name = labels[serviceNameLabel];
  return name === undefined || labels[managedByLabel] !== manager ? undefined : [keyFor(namespace, name)];
}

async function execute({ client }: ControllerContext, key: string, operation: Operation, expected: Expectations): Promise<void> {
  const { slice } = operation;
  const { name = '', namespace } = slice.metadata;
  try {
    if (operation.do === 'create') {
      expected.expectCreations(key, 1);
      await client.create(slicesRef, slice);
    } else if (operation.do === 'update') await client.update(slicesRef, slice);
    else await client.delete(slicesRef, name, { namespace });
  } catch (error) {
    if (operation.do === 'create') expected.creationEnded(key);
    if (!isFault(error, 'not-found') && !isTerminating(error)) throw error;
  }
}
