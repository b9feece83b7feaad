import type { Pod } from '#api/kube/types.ts';
import { forbidden } from '../status.ts';
import type { AdmissionStep } from '../types.ts';

/** The classes that every cluster has. */
const systemClasses: Record<string, number> = { 'system-cluster-critical': 2_000_000_000, 'system-node-critical': 2_000_001_000 };

/** Gives pods the number that their priority class stands for; 0 without one. */
export const priority: AdmissionStep = {
  name: 'priority',
  admit: ({ operation, resource, subresource, object, name }) => {
    if (operation !== 'CREATE' || resource.plural !== 'pods' || resource.group !== '' || subresource !== '' || !object) return;
    const { spec } = object as unknown as Pod;
    const className = spec.priorityClassName ?? '';
    const value = className === '' ? 0 : systemClasses[className];
    if (value === undefined) throw forbidden(resource, name, `no PriorityClass with name ${className} was found`);
    if (spec.priority !== undefined && spec.priority !== value) {
      throw forbidden(resource, name, `the integer value of priority (${spec.priority}) must not be provided in pod spec; priority admission controller computed ${value} from the given PriorityClass name`);
    }
    spec.priority = value;
    spec.preemptionPolicy ??= 'PreemptLowerPriority';
  },
};
