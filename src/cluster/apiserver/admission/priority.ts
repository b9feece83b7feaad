import type { Pod, PriorityClass } from '#api/kube/types.ts';
import type { Core } from '../core.ts';
import { forbidden } from '../status.ts';
import type { AdmissionRequest, AdmissionStep } from '../types.ts';

/** Gives pods the number that their priority class stands for, or the class that is everybody's; 0 without one. */
export function priority(core: Core): AdmissionStep {
  const classes = core.objects.find(core.resources.find('scheduling.k8s.io', 'v1', 'priorityclasses'));
  const all = (): PriorityClass[] => (classes ? [...classes.cache.scan(classes.cache.prefix)].map(({ object }) => object as unknown as PriorityClass) : []);
  return {
    name: 'priority',
    admit: (request) => {
      const { operation, resource, subresource } = request;
      if (operation === 'DELETE' || subresource !== '') return;
      if (resource === classes?.resource) refuseSecondDefault(request, all());
      if (operation === 'CREATE' && resource.plural === 'pods' && resource.group === '') prioritize(request, all());
    },
  };
}

function refuseSecondDefault({ resource, name, object }: AdmissionRequest, all: readonly PriorityClass[]): void {
  if ((object as unknown as PriorityClass).globalDefault !== true) return;
  const other = all.find(({ metadata, globalDefault }) => globalDefault === true && metadata.name !== name);
  if (other) throw forbidden(resource, name, `PriorityClass ${other.metadata.name} is already marked as default. Only one default can exist`);
}

function prioritize({ resource, name, object }: AdmissionRequest, all: readonly PriorityClass[]): void {
  const { spec } = object as unknown as Pod;
  const asked = spec.priorityClassName ?? '';
  const found = asked === '' ? defaultOf(all) : all.find(({ metadata }) => metadata.name === asked);
  if (asked !== '' && !found) throw forbidden(resource, name, `no PriorityClass with name ${asked} was found`);
  if (found) spec.priorityClassName = found.metadata.name;
  const value = found?.value ?? 0;
  const policy = found?.preemptionPolicy ?? 'PreemptLowerPriority';
  const refuse = (what: string, given: string | number, computed: string | number): Error =>
    forbidden(resource, name, `the ${what} (${given}) must not be provided in pod spec; priority admission controller computed ${computed} from the given PriorityClass name`);
  if (spec.priority !== undefined && spec.priority !== value) throw refuse('integer value of priority', spec.priority, value);
  if (spec.preemptionPolicy !== undefined && spec.preemptionPolicy !== policy && found) throw refuse('string value of PreemptionPolicy', spec.preemptionPolicy, policy);
  spec.priority = value;
  spec.preemptionPolicy ??= policy;
}

/** Should there ever be several, the least of them. */
function defaultOf(all: readonly PriorityClass[]): PriorityClass | undefined {
  return all.filter(({ globalDefault }) => globalDefault === true).sort((a, b) => (a.value ?? 0) - (b.value ?? 0))[0];
}
