/** Deployments: a number of pods kept up to date with a template, by way of replica sets. */
import { type FieldError, fieldError } from '#api/kube/field-errors.ts';
import { isPercent } from '#api/kube/int-or-string.ts';
import type { Deployment, DeploymentStrategy, IntOrString } from '#api/kube/types.ts';
import { ageColumn, ageOf, column, containerImages, containerNames, nameColumn, nameOf, selectorCell, wideColumn } from '../columns.ts';
import { defaultPodSpec } from '../core/pod-defaults.ts';
import { validateAlwaysRestart, validatePodTemplate } from '../core/pod-validation.ts';
import { podSpecWarnings } from '../core/pod-warnings.ts';
import { defineResource, immutable, nonNegative, scaleSubresource } from '../resource.ts';
import { validateWorkloadSelector } from '../selectors.ts';

const types = ['Recreate', 'RollingUpdate'];

export const deployments = defineResource<Deployment>({
  group: 'apps',
  kind: 'Deployment',
  plural: 'deployments',
  shortNames: ['deploy'],
  categories: ['all'],
  status: {},
  subresources: [scaleSubresource()],
  // The server counts a change of annotations too, as the controller copies them to replica sets.
  generationOf: (deployment) => [deployment.spec, deployment.metadata.annotations ?? {}],
  columns: [
    nameColumn,
    column('Ready', 'How many pods are ready, of how many are wanted.'),
    column('Up-to-date', 'How many pods have the newest template.'),
    column('Available', 'How many pods have been ready for the time that is asked.'),
    ageColumn,
    wideColumn('Containers', 'Names of the containers in the template.'),
    wideColumn('Images', 'Images of the containers in the template.'),
    wideColumn('Selector', 'The selector of its pods.'),
  ],
  row: (deployment, context) => {
    const { spec, status } = deployment;
    const containers = spec.template.spec?.containers;
    return [
      nameOf(deployment), `${status?.readyReplicas ?? 0}/${spec.replicas ?? 0}`, String(status?.updatedReplicas ?? 0),
      String(status?.availableReplicas ?? 0), ageOf(deployment, context),
      containerNames(containers), containerImages(containers), selectorCell(spec.selector),
    ];
  },
  defaults: ({ spec }) => {
    spec.replicas ??= 1;
    spec.strategy ??= {};
    spec.strategy.type ??= 'RollingUpdate';
    if (spec.strategy.type === 'RollingUpdate') {
      spec.strategy.rollingUpdate ??= {};
      spec.strategy.rollingUpdate.maxUnavailable ??= '25%';
      spec.strategy.rollingUpdate.maxSurge ??= '25%';
    }
    spec.revisionHistoryLimit ??= 10;
    spec.progressDeadlineSeconds ??= 600;
    if (spec.template?.spec !== undefined) defaultPodSpec(spec.template.spec);
  },
  validate: ({ spec }) => [
    ...nonNegative('spec.replicas', spec.replicas),
    ...validateWorkloadSelector(spec.selector, spec.template, 'deployment'),
    ...validatePodTemplate(spec.template, 'spec.template'),
    ...validateAlwaysRestart(spec.template, 'spec.template'),
    ...validateStrategy(spec.strategy ?? {}, 'spec.strategy'),
    ...nonNegative('spec.minReadySeconds', spec.minReadySeconds),
    ...nonNegative('spec.revisionHistoryLimit', spec.revisionHistoryLimit),
    ...validateDeadline(spec.progressDeadlineSeconds, spec.minReadySeconds ?? 0),
  ],
  validateUpdate: ({ spec }, old) => immutable('spec.selector', spec.selector, old.spec.selector),
  warnings: ({ spec }) => podSpecWarnings(spec.template?.spec, 'spec.template.spec'),
});

function validateDeadline(deadline: number | undefined, minReady: number): FieldError[] {
  const path = 'spec.progressDeadlineSeconds';
  const errors = nonNegative(path, deadline);
  if (deadline !== undefined && deadline <= minReady) errors.push(fieldError.invalid(path, deadline, 'must be greater than minReadySeconds'));
  return errors;
}

function validateStrategy(strategy: DeploymentStrategy, path: string): FieldError[] {
  const { type, rollingUpdate } = strategy;
  if (type === 'Recreate') {
    if (rollingUpdate === undefined) return [];
    return [fieldError.forbidden(`${path}.rollingUpdate`, "may not be specified when strategy `type` is 'Recreate'")];
  }
  if (type !== 'RollingUpdate') return [fieldError.notSupported(path, strategy, types)];
  if (rollingUpdate === undefined) return [fieldError.required(`${path}.rollingUpdate`, 'this should be defaulted and never be nil')];
  const { maxSurge = '25%', maxUnavailable = '25%' } = rollingUpdate;
  const errors = [
    ...validateShare(maxUnavailable, `${path}.rollingUpdate.maxUnavailable`),
    ...validateShare(maxSurge, `${path}.rollingUpdate.maxSurge`),
  ];
  if (isZero(maxUnavailable) && isZero(maxSurge)) {
    errors.push(fieldError.invalid(`${path}.rollingUpdate.maxUnavailable`, maxUnavailable, 'may not be 0 when `maxSurge` is 0'));
  }
  if (isPercent(maxUnavailable) && Number(maxUnavailable.slice(0, -1)) > 100) {
    errors.push(fieldError.invalid(`${path}.rollingUpdate.maxUnavailable`, maxUnavailable, 'must not be greater than 100%'));
  }
  return errors;
}

function validateShare(value: IntOrString, path: string): FieldError[] {
  if (typeof value === 'number') return nonNegative(path, value);
  if (isPercent(value)) return [];
  const rule = "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%', or '93%', regex used for validation is '[0-9]+%')";
  return [fieldError.invalid(path, value, rule)];
}

function isZero(value: IntOrString): boolean {
  return value === 0 || value === '0%';
}
