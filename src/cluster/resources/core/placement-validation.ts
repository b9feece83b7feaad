/** What a pod may say of where it is put, and of the names it finds there. */
import { isIP } from 'node:net';
import { type FieldError, fieldError } from '#api/kube/field-errors.ts';
import { dnsSubdomainErrors, qualifiedNameErrors } from '#api/kube/names.ts';
import type { Affinity, NodeSelectorRequirement, NodeSelectorTerm, PodAffinityTerm, PodSpec, TopologySpreadConstraint } from '#api/kube/types.ts';
import { validateLabelSelector } from '../selectors.ts';

const maxNameservers = 3;
const maxSearches = 32;

export function validatePlacement(spec: PodSpec, path: string): FieldError[] {
  const errors = [
    ...validateAffinity(spec.affinity ?? {}, `${path}.affinity`),
    ...validateSpread(spec.topologySpreadConstraints ?? [], `${path}.topologySpreadConstraints`),
    ...validateDns(spec, path),
  ];
  for (const [index, gate] of (spec.readinessGates ?? []).entries()) {
    const at = `${path}.readinessGates[${index}].conditionType`;
    for (const detail of qualifiedNameErrors(gate.conditionType)) errors.push(fieldError.invalid(at, gate.conditionType, detail));
  }
  if ((spec.schedulingGates ?? []).length > 0 && spec.nodeName) {
    errors.push(fieldError.forbidden(`${path}.nodeName`, 'cannot be set until all schedulingGates have been cleared'));
  }
  return errors;
}

function validateDns(spec: PodSpec, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const notAddress = 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)';
  for (const [index, alias] of (spec.hostAliases ?? []).entries()) {
    const at = `${path}.hostAliases[${index}]`;
    if (isIP(alias.ip) === 0) errors.push(fieldError.invalid(`${at}.ip`, alias.ip, notAddress));
    for (const [number, name] of (alias.hostnames ?? []).entries()) {
      for (const detail of dnsSubdomainErrors(name)) errors.push(fieldError.invalid(`${at}.hostnames[${number}]`, name, detail));
    }
  }
  const { nameservers = [], searches = [] } = spec.dnsConfig ?? {};
  if (nameservers.length > maxNameservers) {
    errors.push(fieldError.invalid(`${path}.dnsConfig.nameservers`, nameservers, `must not have more than ${maxNameservers} nameservers`));
  }
  for (const [index, address] of nameservers.entries()) {
    if (isIP(address) === 0) errors.push(fieldError.invalid(`${path}.dnsConfig.nameservers[${index}]`, address, notAddress));
  }
  if (searches.length > maxSearches) {
    errors.push(fieldError.invalid(`${path}.dnsConfig.searches`, searches, `must not have more than ${maxSearches} search paths`));
  }
  return errors;
}

function validateAffinity(affinity: Affinity, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const required = 'requiredDuringSchedulingIgnoredDuringExecution';
  const preferred = 'preferredDuringSchedulingIgnoredDuringExecution';
  const node = affinity.nodeAffinity;
  if (node?.[required] !== undefined) {
    const at = `${path}.nodeAffinity.${required}.nodeSelectorTerms`;
    const terms = node[required].nodeSelectorTerms ?? [];
    if (terms.length === 0) errors.push(fieldError.required(at, 'must have at least one node selector term'));
    errors.push(...terms.flatMap((term, index) => validateNodeTerm(term, `${at}[${index}]`)));
  }
  for (const [index, { weight, preference }] of (node?.[preferred] ?? []).entries()) {
    const at = `${path}.nodeAffinity.${preferred}[${index}]`;
    errors.push(...validateWeight(weight, `${at}.weight`), ...validateNodeTerm(preference ?? {}, `${at}.preference`));
  }
  for (const key of ['podAffinity', 'podAntiAffinity'] as const) {
    const terms = affinity[key];
    for (const [index, term] of (terms?.[required] ?? []).entries()) errors.push(...validatePodTerm(term, `${path}.${key}.${required}[${index}]`));
    for (const [index, { weight, podAffinityTerm }] of (terms?.[preferred] ?? []).entries()) {
      const at = `${path}.${key}.${preferred}[${index}]`;
      errors.push(...validateWeight(weight, `${at}.weight`), ...validatePodTerm(podAffinityTerm, `${at}.podAffinityTerm`));
    }
  }
  return errors;
}

function validateWeight(weight: number, path: string): FieldError[] {
  return weight >= 1 && weight <= 100 ? [] : [fieldError.invalid(path, weight, 'must be in the range 1-100')];
}

function validatePodTerm(term: PodAffinityTerm, path: string): FieldError[] {
  const errors = term.labelSelector === undefined ? [] : validateLabelSelector(term.labelSelector, `${path}.labelSelector`);
  if (!term.topologyKey) return [...errors, fieldError.required(`${path}.topologyKey`, 'can not be empty')];
  return [...errors, ...qualifiedNameErrors(term.topologyKey).map((detail) => fieldError.invalid(`${path}.topologyKey`, term.topologyKey, detail))];
}

function validateNodeTerm(term: NodeSelectorTerm, path: string): FieldError[] {
  return [
    ...(term.matchExpressions ?? []).flatMap((item, index) => validateNodeRequirement(item, `${path}.matchExpressions[${index}]`)),
    ...(term.matchFields ?? []).flatMap((item, index) => validateFieldRequirement(item, `${path}.matchFields[${index}]`)),
  ];
}

function validateNodeRequirement({ key, operator, values = [] }: NodeSelectorRequirement, path: string): FieldError[] {
  const errors = qualifiedNameErrors(key).map((detail) => fieldError.invalid(`${path}.key`, key, detail));
  if (operator === 'In' || operator === 'NotIn') {
    if (values.length === 0) errors.push(fieldError.required(`${path}.values`, "must be specified when `operator` is 'In' or 'NotIn'"));
  } else if (operator === 'Exists' || operator === 'DoesNotExist') {
    if (values.length > 0) errors.push(fieldError.forbidden(`${path}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"));
  } else if (operator === 'Gt' || operator === 'Lt') {
    if (values.length !== 1) errors.push(fieldError.required(`${path}.values`, "must be specified single value when `operator` is 'Lt' or 'Gt'"));
  } else errors.push(fieldError.invalid(`${path}.operator`, operator, 'not a valid selector operator'));
  return errors;
}

function validateFieldRequirement({ key, operator, values = [] }: NodeSelectorRequirement, path: string): FieldError[] {
  if (key !== 'metadata.name') return [fieldError.invalid(`${path}.key`, key, 'not a valid field selector key')];
  if (operator !== 'In' && operator !== 'NotIn') return [fieldError.invalid(`${path}.operator`, operator, 'not a valid selector operator')];
  if (values.length === 1) return [];
  return [fieldError.required(`${path}.values`, "must be only one value when `operator` is 'In' or 'NotIn' for node field selector")];
}

function validateSpread(constraints: readonly TopologySpreadConstraint[], path: string): FieldError[] {
  const actions = ['DoNotSchedule', 'ScheduleAnyway'];
  const seen = new Set<string>();
  return constraints.flatMap((constraint, index) => {
    const { maxSkew, topologyKey, whenUnsatisfiable } = constraint;
    const at = `${path}[${index}]`;
    const errors: FieldError[] = [];
    if (maxSkew <= 0) errors.push(fieldError.invalid(`${at}.maxSkew`, maxSkew, 'must be greater than zero'));
    if (!topologyKey) errors.push(fieldError.required(`${at}.topologyKey`, 'can not be empty'));
    if (!actions.includes(whenUnsatisfiable)) errors.push(fieldError.notSupported(`${at}.whenUnsatisfiable`, whenUnsatisfiable, actions));
    const pair = `{${topologyKey}, ${whenUnsatisfiable}}`;
    if (seen.has(pair)) errors.push(fieldError.duplicate(`${at}.{topologyKey, whenUnsatisfiable}`, pair));
    seen.add(pair);
    return errors;
  });
}
