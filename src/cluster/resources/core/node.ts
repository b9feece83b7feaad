/** Nodes: machines that run pods. */
import { type FieldError, fieldError } from '#api/kube/field-errors.ts';
import { labelValueErrors, qualifiedNameErrors } from '#api/kube/names.ts';
import type { Node, Taint } from '#api/kube/types.ts';
import { ageColumn, ageOf, column, nameColumn, nameOf, orNone, wideColumn } from '../columns.ts';
import { defineResource } from '../resource.ts';

const rolePrefix = 'node-role.kubernetes.io/';
const roleLabel = 'kubernetes.io/role';
const effects = ['NoExecute', 'NoSchedule', 'PreferNoSchedule'];

export const nodes = defineResource<Node>({
  kind: 'Node',
  plural: 'nodes',
  shortNames: ['no'],
  namespaced: false,
  // A kubelet registers its node with the status it has.
  status: { keepOnCreate: true },
  subresources: [{
    name: 'proxy', type: 'connect', verbs: ['create', 'delete', 'get', 'patch', 'update'],
    kind: { group: '', version: 'v1', kind: 'NodeProxyOptions' },
  }],
  columns: [
    nameColumn,
    column('Status', 'Whether it is ready, and whether pods may be put on it.'),
    column('Roles', 'What it is for.'),
    ageColumn,
    column('Version', "The kubelet's version."),
    wideColumn('Internal-IP', 'Its address inside the cluster.'),
    wideColumn('External-IP', 'Its address outside.'),
    wideColumn('OS-Image', 'Its operating system.'),
    wideColumn('Kernel-Version', 'Its kernel.'),
    wideColumn('Container-Runtime', 'What runs its containers.'),
  ],
  row: (node, context) => {
    const info = node.status?.nodeInfo;
    return [
      nameOf(node), statusOf(node), rolesOf(node), ageOf(node, context), info?.kubeletVersion ?? '',
      addressOf(node, 'InternalIP'), addressOf(node, 'ExternalIP'),
      info?.osImage || '<unknown>', info?.kernelVersion || '<unknown>', info?.containerRuntimeVersion || '<unknown>',
    ];
  },
  defaults: (node) => {
    node.status ??= {};
    if (node.status.capacity !== undefined) node.status.allocatable ??= { ...node.status.capacity };
  },
  validate: ({ spec }) => (spec.taints ?? []).flatMap((taint, index) => validateTaint(taint, `spec.taints[${index}]`, spec.taints ?? [], index)),
  validateUpdate: ({ spec }, { spec: old }) => [
    ...(old.podCIDR && old.podCIDR !== spec.podCIDR ? [fieldError.forbidden('spec.podCIDRs', 'node updates may not change podCIDR except from "" to valid')] : []),
    ...(old.providerID && old.providerID !== spec.providerID
      ? [fieldError.forbidden('spec.providerID', 'node updates may not change providerID except from "" to valid')] : []),
  ],
  selectableFields: (node) => ({ 'spec.unschedulable': String(node.spec.unschedulable === true) }),
});

function statusOf(node: Node): string {
  const ready = (node.status?.conditions ?? []).find((condition) => condition.type === 'Ready');
  const words = [ready === undefined ? 'Unknown' : ready.status === 'True' ? 'Ready' : 'NotReady'];
  if (node.spec.unschedulable === true) words.push('SchedulingDisabled');
  return words.join(',');
}

function rolesOf(node: Node): string {
  const roles = new Set<string>();
  for (const [key, value] of Object.entries(node.metadata.labels ?? {})) {
    if (key.startsWith(rolePrefix) && key !== rolePrefix) roles.add(key.slice(rolePrefix.length));
    if (key === roleLabel && value !== '') roles.add(value);
  }
  return orNone([...roles].sort().join(','));
}

function addressOf(node: Node, type: string): string {
  return orNone((node.status?.addresses ?? []).find((address) => address.type === type)?.address);
}

function validateTaint(taint: Taint, path: string, all: readonly Taint[], index: number): FieldError[] {
  const errors = qualifiedNameErrors(taint.key).map((detail) => fieldError.invalid(`${path}.key`, taint.key, detail));
  for (const detail of labelValueErrors(taint.value ?? '')) errors.push(fieldError.invalid(`${path}.value`, taint.value, detail));
  if (!taint.effect) errors.push(fieldError.required(`${path}.effect`));
  else if (!effects.includes(taint.effect)) errors.push(fieldError.notSupported(`${path}.effect`, taint.effect, effects));
  const earlier = all.slice(0, index).some((other) => other.key === taint.key && other.effect === taint.effect);
  if (earlier) errors.push(fieldError.duplicate(path, taint));
  return errors;
}
