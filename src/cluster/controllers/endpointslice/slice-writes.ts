/** Follows and writes the slices that one manager makes. */
import { generatedName } from '#api/kube/names.ts';
import type { EndpointSlice } from '#api/kube/types.ts';
import { isFault } from '#lib/errors.ts';
import { endpointSlices as slicesRef } from '#client/kube/resources.ts';
import { createAnswered } from '#cluster/machinery/answered.ts';
import type { Expectations } from '#cluster/machinery/expectations.ts';
import type { WorkQueue } from '#cluster/machinery/queue.ts';
import type { ControllerContext } from '#cluster/machinery/types.ts';
import { keyFor } from '#cluster/machinery/types.ts';
import { isTerminating } from '../endpoints/controller.ts';
import type { Operation } from './slices.ts';
import { managedByLabel, serviceNameLabel } from './slices.ts';

export interface ManagedSlices {
  synced: Promise<void>;
  /** Those of the service with this key; slices that others make are left alone. */
  of(service: string): readonly EndpointSlice[];
}

export function followSlices({ informers }: ControllerContext, manager: string, queue: WorkQueue, expected: Expectations): ManagedSlices {
  const index = `service of ${manager}`;
  const slices = informers.of<EndpointSlice>(slicesRef);
  const serviceOf = ({ metadata: { namespace, labels = {} } }: EndpointSlice): string[] => {
    const name = labels[serviceNameLabel];
    return name === undefined || labels[managedByLabel] !== manager ? [] : [keyFor(namespace, name)];
  };
  slices.addIndex(index, serviceOf);
  slices.onChange(({ type, object }) => {
    for (const key of serviceOf(object)) {
      if (type === 'ADDED') expected.creationEnded(key);
      queue.add(key);
    }
  });
  return { synced: slices.synced, of: (service) => slices.byIndex(index, service) };
}

export async function executeOnSlice({ client, random, signal }: ControllerContext, key: string, operation: Operation, expected: Expectations): Promise<void> {
  const { slice } = operation;
  const { name = '', namespace } = slice.metadata;
  try {
    if (operation.do === 'create') {
      expected.expectCreations(key, 1);
      // Named here, so that a creation that was not answered can be told from another.
      const name = generatedName(slice.metadata.generateName ?? '', random);
      await createAnswered(client, slicesRef, { ...slice, metadata: { ...slice.metadata, name } }, signal);
    } else if (operation.do === 'update') await client.update(slicesRef, slice, { signal });
    else await client.delete(slicesRef, name, { namespace, signal });
  } catch (error) {
    if (operation.do === 'create') expected.creationFailed(key, error);
    if (!isFault(error, 'not-found') && !isTerminating(error)) throw error;
  }
}
