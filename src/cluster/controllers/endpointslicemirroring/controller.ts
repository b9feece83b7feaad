/** Slices of Endpoints that somebody wrote by hand, for a service without a selector: the service proxy reads slices alone. */
import type { Endpoints, Service } from '#api/kube/types.ts';
import { endpoints as endpointsRef, services as servicesRef } from '#client/kube/resources.ts';
import { runController } from '#cluster/machinery/controller.ts';
import { Expectations } from '#cluster/machinery/expectations.ts';
import { WorkQueue } from '#cluster/machinery/queue.ts';
import type { Controller, ControllerContext } from '#cluster/machinery/types.ts';
import { keyOf } from '#cluster/machinery/types.ts';
import { executeOnSlice, followSlices } from '../endpointslice/slice-writes.ts';
import { planText } from '../planned.ts';
import { manager, planMirror } from './plan.ts';

const name = 'endpointslicemirroring';
const workers = 2;
/** When to look again at Endpoints whose new slices have not been seen, in milliseconds. */
const unmetMs = 60_000;

export function endpointSliceMirroringController(context: ControllerContext): Controller {
  const { clock, log, signal, informers } = context;
  const queue = new WorkQueue({ clock });
  const expected = new Expectations(clock);
  const services = informers.of<Service>(servicesRef);
  const endpoints = informers.of<Endpoints>(endpointsRef);
  const slices = followSlices(context, manager, queue, expected);
  services.onChange(({ object }) => queue.add(keyOf(object)));
  endpoints.onChange(({ object }) => queue.add(keyOf(object)));
  const reconcile = async (key: string): Promise<number | undefined> => {
    if (!expected.met(key)) return unmetMs;
    const plan = planMirror(services.get(key), endpoints.get(key), slices.of(key));
    if (plan.length > 0) log.debug(planText(plan), { controller: name, service: key });
    for (const operation of plan) await executeOnSlice(context, key, operation, expected);
    return undefined;
  };
  const synced = [services.synced, endpoints.synced, slices.synced];
  return { name, run: () => runController({ name, queue, workers, synced, reconcile, signal, log, clock }) };
}
