/** Priority classes: names for how much a pod matters. Pods get the number at admission. */
import { type FieldError, fieldError } from '#api/kube/field-errors.ts';
import type { PriorityClass } from '#api/kube/types.ts';
import { ageColumn, ageOf, column, nameColumn, nameOf } from '../columns.ts';
import { oneOf } from '../core/container-validation.ts';
import { defineResource, immutable } from '../resource.ts';

const highestOfUsers = 1_000_000_000;
const systemPrefix = 'system-';
const policies = ['Never', 'PreemptLowerPriority'];

/** The classes that every cluster has: no other name begins as theirs do, no other value is as high. */
export const systemPriorityClasses: readonly PriorityClass[] = [
  systemClass('system-node-critical', 2_000_001_000, 'Used for system critical pods that must not be moved from their current node.'),
  systemClass('system-cluster-critical', 2_000_000_000, 'Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.'),
];

function systemClass(name: string, value: number, description: string): PriorityClass {
  return { apiVersion: 'scheduling.k8s.io/v1', kind: 'PriorityClass', metadata: { name }, value, description };
}

export const priorityClasses = defineResource<PriorityClass>({
  group: 'scheduling.k8s.io',
  kind: 'PriorityClass',
  plural: 'priorityclasses',
  shortNames: ['pc'],
  namespaced: false,
  generationOf: ({ value, globalDefault, description, preemptionPolicy }) => [value, globalDefault, description, preemptionPolicy],
  columns: [
    nameColumn,
    column('Value', 'The priority that pods of this class get.', 'integer'),
    column('Global-Default', 'Whether pods that name no class get this one.', 'boolean'),
    ageColumn,
    column('PreemptionPolicy', 'Whether pods of this class push others off a node.'),
  ],
  row: (object, context) => [nameOf(object), object.value ?? 0, object.globalDefault === true, ageOf(object, context), object.preemptionPolicy ?? ''],
  defaults: (object) => {
    object.preemptionPolicy ??= 'PreemptLowerPriority';
  },
  validate: (object) => [...validateValue(object), ...oneOf('preemptionPolicy', object.preemptionPolicy, policies)],
  validateUpdate: (object, old) => [
    ...(object.value === old.value ? [] : [fieldError.forbidden('value', 'may not be changed in an update.')]),
    ...immutable('preemptionPolicy', object.preemptionPolicy, old.preemptionPolicy),
  ],
});

function validateValue(object: PriorityClass): FieldError[] {
  const { value = 0, globalDefault = false } = object;
  if (nameOf(object).startsWith(systemPrefix)) {
    const known = systemPriorityClasses.some((other) => nameOf(other) === nameOf(object) && other.value === value && !globalDefault);
    if (known) return [];
    const detail = `priority class names with '${systemPrefix}' prefix are reserved for system use only. error: ${nameOf(object)} is not a known system priority class with this value`;
    return [fieldError.forbidden('metadata.name', detail)];
  }
  return value <= highestOfUsers ? [] : [fieldError.forbidden('value', `maximum allowed value of a user defined priority is ${highestOfUsers}`)];
}
