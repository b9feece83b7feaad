/** Replica sets: a number of pods made from one template. */
import type { ReplicaSet } from '#api/kube/types.ts';
import { containerImages, containerNames, nameOf, ageOf, selectorCell } from '../columns.ts';
import { defaultPodSpec } from '../core/pod-defaults.ts';
import { validateAlwaysRestart, validatePodTemplate } from '../core/pod-validation.ts';
import { podSpecWarnings } from '../core/pod-warnings.ts';
import { defineResource, immutable, nonNegative, scaleSubresource } from '../resource.ts';
import { replicaColumns } from '../replicas.ts';
import { validateWorkloadSelector } from '../selectors.ts';

export const replicaSets = defineResource<ReplicaSet>({
  group: 'apps',
  kind: 'ReplicaSet',
  plural: 'replicasets',
  shortNames: ['rs'],
  categories: ['all'],
  status: {},
  subresources: [scaleSubresource()],
  generationOf: (set) => set.spec,
  columns: replicaColumns,
  row: (set, context) => {
    const containers = set.spec.template?.spec?.containers;
    return [
      nameOf(set), set.spec.replicas ?? 0, set.status?.replicas ?? 0, set.status?.readyReplicas ?? 0, ageOf(set, context),
      containerNames(containers), containerImages(containers), selectorCell(set.spec.selector),
    ];
  },
  defaults: ({ spec }) => {
    spec.replicas ??= 1;
    if (spec.template?.spec !== undefined) defaultPodSpec(spec.template.spec);
  },
  prepareForCreate: (set) => {
    set.status = { replicas: 0 };
  },
  validate: ({ spec }) => [
    ...nonNegative('spec.replicas', spec.replicas),
    ...nonNegative('spec.minReadySeconds', spec.minReadySeconds),
    ...validateWorkloadSelector(spec.selector, spec.template, 'replicaset'),
    ...validatePodTemplate(spec.template, 'spec.template'),
    ...validateAlwaysRestart(spec.template, 'spec.template'),
  ],
  validateUpdate: ({ spec }, old) => immutable('spec.selector', spec.selector, old.spec.selector),
  warnings: ({ spec }) => podSpecWarnings(spec.template?.spec, 'spec.template.spec'),
  selectableFields: (set) => ({ 'status.replicas': String(set.status?.replicas ?? 0) }),
});
