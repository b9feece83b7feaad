/** Selectors in specs: what they may say, and that a workload's own template matches. */
import { type FieldError, fieldError } from '#api/kube/field-errors.ts';
import { matchesLabels, selectorOfMap, selectorOfObject } from '#api/kube/labels.ts';
import { labelValueErrors, qualifiedNameErrors } from '#api/kube/names.ts';
import type { LabelSelector, LabelSelectorRequirement, PodTemplateSpec } from '#api/kube/types.ts';
import { validateLabels } from './metadata.ts';

const operators = ['DoesNotExist', 'Exists', 'In', 'NotIn'];

export function validateLabelSelector(selector: LabelSelector, path: string): FieldError[] {
  return [
    ...validateLabels(selector.matchLabels, `${path}.matchLabels`),
    ...(selector.matchExpressions ?? []).flatMap((item, index) => validateExpression(item, `${path}.matchExpressions[${index}]`)),
  ];
}

function validateExpression(item: LabelSelectorRequirement, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const count = (item.values ?? []).length;
  if (item.operator === 'In' || item.operator === 'NotIn') {
    if (count === 0) errors.push(fieldError.required(`${path}.values`, "must be specified when `operator` is 'In' or 'NotIn'"));
  } else if (operators.includes(item.operator)) {
    if (count > 0) errors.push(fieldError.forbidden(`${path}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"));
  } else errors.push(fieldError.invalid(`${path}.operator`, item.operator, 'not a valid selector operator'));
  for (const detail of qualifiedNameErrors(item.key)) errors.push(fieldError.invalid(`${path}.key`, item.key, detail));
  for (const [index, value] of (item.values ?? []).entries()) {
    for (const detail of labelValueErrors(value)) errors.push(fieldError.invalid(`${path}.values[${index}]`, value, detail));
  }
  return errors;
}

/** A workload's selector: there, not empty, and matching its template's labels. */
export function validateWorkloadSelector(selector: LabelSelector | undefined, template: PodTemplateSpec | undefined, kind: string): FieldError[] {
  const path = 'spec.selector';
  if (selector === undefined) return [fieldError.required(path)];
  const errors = validateLabelSelector(selector, path);
  if (errors.length > 0) return errors;
  if (Object.keys(selector.matchLabels ?? {}).length + (selector.matchExpressions ?? []).length === 0) {
    return [fieldError.invalid(path, selector, `empty selector is invalid for ${kind}`)];
  }
  const labels = template?.metadata?.labels;
  if (matchesLabels(selectorOfObject(selector) ?? [], labels)) return [];
  return [fieldError.invalid('spec.template.metadata.labels', labels ?? null, '`selector` does not match template `labels`')];
}

/** As `validateWorkloadSelector`, for selectors that are a plain map. */
export function validateMapSelector(selector: { [key: string]: string } | undefined, template: PodTemplateSpec | undefined): FieldError[] {
  if (Object.keys(selector ?? {}).length === 0) return [fieldError.required('spec.selector')];
  const labels = template?.metadata?.labels;
  if (matchesLabels(selectorOfMap(selector), labels)) return [];
  return [fieldError.invalid('spec.template.metadata.labels', labels ?? null, '`selector` does not match template `labels`')];
}
