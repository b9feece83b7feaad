/** What follows from a pod's spec alone, for all who need to know it. */
import { compareQuantities } from './quantity.ts';
import type { Container, EphemeralContainer, Pod, PodSpec, Quantity } from './types.ts';

export type QosClass = 'Guaranteed' | 'Burstable' | 'BestEffort';

export function everyContainer(spec: PodSpec): (Container | EphemeralContainer)[] {
  return [...(spec.initContainers ?? []), ...(spec.containers ?? []), ...(spec.ephemeralContainers ?? [])];
}

/** `Guaranteed` where every container has limits and asks for them in full, `BestEffort` where nothing is said, else `Burstable`. */
export function qosClassOf({ spec }: Pod): QosClass {
  let any = false;
  let guaranteed = true;
  for (const { resources } of [...(spec.containers ?? []), ...(spec.initContainers ?? [])]) {
    for (const name of ['cpu', 'memory']) {
      const limit = resources?.limits?.[name];
      const request = resources?.requests?.[name] ?? limit;
      if (isPositive(limit) || isPositive(request)) any = true;
      if (!isPositive(limit) || request === undefined || compareQuantities(request, limit) !== 0) guaranteed = false;
    }
  }
  if (!any) return 'BestEffort';
  return guaranteed ? 'Guaranteed' : 'Burstable';
}

/** Given, and above zero. */
export function isPositive(quantity: Quantity | undefined): quantity is Quantity {
  return quantity !== undefined && compareQuantities(quantity, '0') > 0;
}
