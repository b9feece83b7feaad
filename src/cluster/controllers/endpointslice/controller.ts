/** Endpoint slices of each service with a selector: what the service proxy and DNS go by. */
import { runController } from '#cluster/machinery/controller.ts';
import { Expectations } from '#cluster/machinery/expectations.ts';
import { WorkQueue } from '#cluster/machinery/queue.ts';
import type { Controller, ControllerContext } from '#cluster/machinery/types.ts';
import { backendsOf, followServices, isManaged } from '../endpoints/observe.ts';
import { planText } from '../planned.ts';
import { executeOnSlice, followSlices } from './slice-writes.ts';
import { manager, planSlices } from './plan.ts';

const workers = 4;
/** When to look again at a service whose new slices have not been seen, in milliseconds. */
const unmetMs = 60_000;

export function endpointSliceController(context: ControllerContext): Controller {
  const { clock, log, signal, informers } = context;
  const queue = new WorkQueue({ clock });
  const observed = followServices(informers, queue);
  const expected = new Expectations(clock);
  const slices = followSlices(context, manager, queue, expected);
  const reconcile = async (key: string): Promise<number | undefined> => {
    const service = observed.services.get(key);
    if (service && !isManaged(service)) return undefined;
    // A slice of ours that is on its way would be made twice; its coming brings the key back.
    if (!expected.met(key)) return unmetMs;
    const plan = planSlices(service, service ? backendsOf(service, observed) : [], slices.of(key));
    if (plan.length > 0) log.debug(planText(plan), { controller: 'endpointslice', service: key });
    for (const operation of plan) await executeOnSlice(context, key, operation, expected);
    if (!service) expected.forget(key);
    return undefined;
  };
  const synced = [observed.services.synced, observed.pods.synced, slices.synced];
  return { name: 'endpointslice', run: () => runController({ name: 'endpointslice', queue, workers, synced, reconcile, signal, log, clock }) };
}
