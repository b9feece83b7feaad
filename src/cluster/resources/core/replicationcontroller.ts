/** Replication controllers: replica sets as they were, with a plain map as selector. */
import type { ReplicationController } from '#api/kube/types.ts';
import { ageOf, containerImages, containerNames, labelsCell, nameOf } from '../columns.ts';
import { replicaColumns } from '../replicas.ts';
import { defineResource, nonNegative, scaleSubresource } from '../resource.ts';
import { validateMapSelector } from '../selectors.ts';
import { defaultPodSpec } from './pod-defaults.ts';
import { validateAlwaysRestart, validatePodTemplate } from './pod-validation.ts';
import { podSpecWarnings } from './pod-warnings.ts';

export const replicationControllers = defineResource<ReplicationController>({
  kind: 'ReplicationController',
  plural: 'replicationcontrollers',
  shortNames: ['rc'],
  categories: ['all'],
  status: {},
  subresources: [scaleSubresource()],
  generationOf: (controller) => controller.spec,
  columns: replicaColumns,
  row: (controller, context) => {
    const { spec, status } = controller;
    const containers = spec.template?.spec?.containers;
    return [
      nameOf(controller), spec.replicas ?? 0, status?.replicas ?? 0, status?.readyReplicas ?? 0, ageOf(controller, context),
      containerNames(containers), containerImages(containers), labelsCell(spec.selector),
    ];
  },
  defaults: ({ spec, metadata }) => {
    const labels = spec.template?.metadata?.labels;
    if (labels !== undefined && Object.keys(spec.selector ?? {}).length === 0) spec.selector = { ...labels };
    if (labels !== undefined && Object.keys(metadata.labels ?? {}).length === 0) metadata.labels = { ...labels };
    spec.replicas ??= 1;
    if (spec.template?.spec !== undefined) defaultPodSpec(spec.template.spec);
  },
  prepareForCreate: (controller) => {
    controller.status = { replicas: 0 };
  },
  validate: ({ spec }) => [
    ...nonNegative('spec.minReadySeconds', spec.minReadySeconds),
    ...validateMapSelector(spec.selector, spec.template),
    ...nonNegative('spec.replicas', spec.replicas),
    ...validatePodTemplate(spec.template, 'spec.template'),
    ...validateAlwaysRestart(spec.template, 'spec.template'),
  ],
  warnings: ({ spec }) => podSpecWarnings(spec.template?.spec, 'spec.template.spec'),
  selectableFields: (controller) => ({ 'status.replicas': String(controller.status?.replicas ?? 0) }),
});
