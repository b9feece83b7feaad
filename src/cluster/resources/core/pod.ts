/** Pods: containers that share a node, a network and volumes. */
import { isDeepStrictEqual } from 'node:util';
import { type FieldError, fieldError } from '#api/kube/field-errors.ts';
import { qosClassOf } from '#api/kube/pods.ts';
import type { Pod, PodSpec } from '#api/kube/types.ts';
import { carryMetadata } from '../metadata.ts';
import { defineResource, restore } from '../resource.ts';
import type { Subresource } from '../types.ts';
import { podColumns, podRow } from './pod-columns.ts';
import { defaultPod, defaultPodSpec } from './pod-defaults.ts';
import { validatePodSpec, validatePodUpdate } from './pod-validation.ts';
import { podWarnings } from './pod-warnings.ts';

const core = (kind: string): { group: string; version: string; kind: string } => ({ group: '', version: 'v1', kind });

const subresources: readonly Subresource<Pod>[] = [
  { name: 'attach', type: 'connect', verbs: ['create', 'get'], kind: core('PodAttachOptions') },
  { name: 'exec', type: 'connect', verbs: ['create', 'get'], kind: core('PodExecOptions') },
  { name: 'portforward', type: 'connect', verbs: ['create', 'get'], kind: core('PodPortForwardOptions') },
  { name: 'log', type: 'connect', verbs: ['get'] },
  { name: 'proxy', type: 'connect', verbs: ['create', 'delete', 'get', 'patch', 'update'], kind: core('PodProxyOptions') },
  { name: 'binding', type: 'action', verbs: ['create'], kind: core('Binding') },
  { name: 'eviction', type: 'action', verbs: ['create'], kind: { group: 'policy', version: 'v1', kind: 'Eviction' } },
  {
    name: 'ephemeralcontainers', type: 'object', verbs: ['get', 'patch', 'update'],
    prepareForUpdate: (pod, old) => changeSpec(pod, old, (spec, wanted) => restore(spec, wanted, 'ephemeralContainers')),
    validateUpdate: (pod, old) => [...validatePodSpec(pod.spec, 'spec'), ...ephemeralKept(pod, old)],
  },
  {
    // Limits are set when a container starts. Refused by name, as a change that nobody carries out would look done.
    name: 'resize', type: 'object', verbs: ['get', 'patch', 'update'],
    prepareForUpdate: (pod, old) => changeSpec(pod, old, () => {}),
    validateUpdate: () => [fieldError.forbidden('spec.containers[*].resources', 'pod resize is not supported by the nodes of this cluster; make a new pod')],
  },
];

/** Everything but one change to the spec stays as it was; a changed spec counts the generation up. */
function changeSpec(pod: Pod, old: Pod, change: (spec: PodSpec, wanted: PodSpec) => void): void {
  carryMetadata(pod.metadata, old.metadata);
  for (const field of ['labels', 'annotations', 'ownerReferences'] as const) restore(pod.metadata, old.metadata, field);
  const wanted = pod.spec;
  pod.spec = structuredClone(old.spec);
  change(pod.spec, wanted);
  restore(pod, old, 'status');
  if (!isDeepStrictEqual(pod.spec, old.spec)) pod.metadata.generation = (old.metadata.generation ?? 0) + 1;
}

function ephemeralKept(pod: Pod, old: Pod): FieldError[] {
  return (old.spec.ephemeralContainers ?? []).flatMap((container) => {
    const same = (pod.spec.ephemeralContainers ?? []).find((other) => other.name === container.name);
    if (same === undefined) return [fieldError.forbidden('spec.ephemeralContainers', `existing ephemeral containers ${JSON.stringify(container.name)} may not be removed`)];
    return isDeepStrictEqual(same, container) ? [] : [fieldError.forbidden('spec.ephemeralContainers', `existing ephemeral containers ${JSON.stringify(container.name)} may not be changed`)];
  });
}

export const pods = defineResource<Pod>({
  kind: 'Pod',
  plural: 'pods',
  shortNames: ['po'],
  categories: ['all'],
  subresources,
  status: {},
  generationOf: (pod) => pod.spec,
  columns: podColumns,
  row: podRow,
  gracePeriodSeconds: (pod) => pod.spec.terminationGracePeriodSeconds ?? 30,
  defaults: (pod) => {
    defaultPodSpec(pod.spec);
    defaultPod(pod.spec);
  },
  prepareForCreate: (pod) => {
    pod.status = { phase: 'Pending', qosClass: qosClassOf(pod) };
  },
  validate: (pod) => validatePodSpec(pod.spec, 'spec'),
  validateUpdate: validatePodUpdate,
  warnings: podWarnings,
  selectableFields: (pod) => ({
    'spec.nodeName': pod.spec.nodeName ?? '',
    'spec.restartPolicy': pod.spec.restartPolicy ?? '',
    'spec.schedulerName': pod.spec.schedulerName ?? '',
    'spec.serviceAccountName': pod.spec.serviceAccountName ?? '',
    'spec.hostNetwork': String(pod.spec.hostNetwork === true),
    'status.phase': pod.status?.phase ?? '',
    'status.podIP': pod.status?.podIPs?.[0]?.ip ?? pod.status?.podIP ?? '',
    'status.podIPs': (pod.status?.podIPs ?? []).map(({ ip }) => ip).join(','),
    'status.nominatedNodeName': pod.status?.nominatedNodeName ?? '',
  }),
});
