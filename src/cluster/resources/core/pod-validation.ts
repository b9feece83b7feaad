/** What a pod and the template of one may say. */
import { isDeepStrictEqual } from 'node:util';
import { type FieldError, fieldError } from '#api/kube/field-errors.ts';
import { dnsLabelErrors, dnsSubdomainErrors, qualifiedNameErrors } from '#api/kube/names.ts';
import type { Container, EphemeralContainer, Pod, PodSpec, PodTemplateSpec, Toleration } from '#api/kube/types.ts';
import { validateAnnotations, validateLabels } from '../metadata.ts';
import { nonNegative } from '../resource.ts';
import { oneOf, validateContainer } from './container-validation.ts';
import { validateLifecycle, validateRestarts } from './lifecycle-validation.ts';
import { validatePlacement } from './placement-validation.ts';
import { validatePodSecurity } from './security-validation.ts';
import { refuseUnsupported } from './unsupported.ts';
import { validateVolumes } from './volume-validation.ts';

const restartPolicies = ['Always', 'Never', 'OnFailure'];
const dnsPolicies = ['ClusterFirst', 'ClusterFirstWithHostNet', 'Default', 'None'];

export function validatePodSpec(spec: PodSpec, path: string): FieldError[] {
  const volumes = new Set((spec.volumes ?? []).map((volume) => volume.name));
  const errors = [
    ...validateVolumes(spec.volumes ?? [], `${path}.volumes`),
    ...validateContainers(spec, path, volumes),
    ...oneOf(`${path}.restartPolicy`, spec.restartPolicy, restartPolicies),
    ...oneOf(`${path}.dnsPolicy`, spec.dnsPolicy, dnsPolicies),
    ...nonNegative(`${path}.terminationGracePeriodSeconds`, spec.terminationGracePeriodSeconds),
    ...validateLabels(spec.nodeSelector, `${path}.nodeSelector`),
    ...(spec.tolerations ?? []).flatMap((toleration, index) => validateToleration(toleration, `${path}.tolerations[${index}]`)),
    ...validatePodSecurity(spec, path),
    ...validatePlacement(spec, path),
    ...named(spec.nodeName, `${path}.nodeName`, dnsSubdomainErrors),
    ...named(spec.serviceAccountName, `${path}.serviceAccountName`, dnsSubdomainErrors),
    ...named(spec.hostname, `${path}.hostname`, dnsLabelErrors),
    ...named(spec.subdomain, `${path}.subdomain`, dnsLabelErrors),
    ...refuseUnsupported(spec, path),
  ];
  if (spec.dnsPolicy === 'None' && (spec.dnsConfig?.nameservers ?? []).length === 0) {
    errors.push(fieldError.required(`${path}.dnsConfig.nameservers`, "must provide at least one DNS nameserver when `dnsPolicy` is None"));
  }
  const deadline = spec.activeDeadlineSeconds;
  if (deadline !== undefined && (deadline < 1 || deadline > 2 ** 31 - 1)) {
    errors.push(fieldError.invalid(`${path}.activeDeadlineSeconds`, deadline, 'must be between 1 and 2147483647, inclusive'));
  }
  return errors;
}

function named(value: string | undefined, path: string, rule: (value: string) => string[]): FieldError[] {
  return value === undefined || value === '' ? [] : rule(value).map((detail) => fieldError.invalid(path, value, detail));
}

function validateContainers(spec: PodSpec, path: string, volumes: ReadonlySet<string>): FieldError[] {
  const errors: FieldError[] = [];
  const names = new Set<string>();
  const hostPorts = new Set<string>();
  const common = (container: Container, at: string): void => {
    errors.push(...validateContainer(container, at, volumes));
    if (names.has(container.name)) errors.push(fieldError.duplicate(`${at}.name`, container.name));
    names.add(container.name);
    if (spec.hostNetwork === true) errors.push(...validateHostNetworkPorts(container, at));
  };
  for (const [index, container] of (spec.containers ?? []).entries()) {
    const at = `${path}.containers[${index}]`;
    common(container, at);
    errors.push(...validateLifecycle(container, at, spec), ...validateRestarts(container, at), ...validateHostPorts(container, at, hostPorts));
  }
  if ((spec.containers ?? []).length === 0) errors.push(fieldError.required(`${path}.containers`));
  for (const [index, container] of (spec.initContainers ?? []).entries()) {
    const at = `${path}.initContainers[${index}]`;
    common(container, at);
    errors.push(...validateRestarts(container, at));
    if (container.restartPolicy === 'Always') errors.push(...validateLifecycle(container, at, spec));
    else errors.push(...runningOnly(container, at, 'may not be set for init containers without restartPolicy=Always'));
  }
  for (const [index, container] of (spec.ephemeralContainers ?? []).entries()) {
    const at = `${path}.ephemeralContainers[${index}]`;
    common(container, at);
    errors.push(...validateEphemeral(container, at, spec));
  }
  return errors;
}

function runningOnly(container: Container, path: string, detail: string): FieldError[] {
  const given = (['lifecycle', 'livenessProbe', 'readinessProbe', 'startupProbe'] as const).filter((key) => container[key] !== undefined);
  return given.map((key) => fieldError.forbidden(`${path}.${key}`, detail));
}

function validateEphemeral(container: EphemeralContainer, path: string, spec: PodSpec): FieldError[] {
  const detail = 'cannot be set for an Ephemeral Container';
  const errors = runningOnly(container, path, detail);
  for (const key of ['ports', 'restartPolicy', 'restartPolicyRules'] as const) {
    if (container[key] !== undefined) errors.push(fieldError.forbidden(`${path}.${key}`, detail));
  }
  const target = container.targetContainerName;
  const targets = [...(spec.containers ?? []), ...(spec.initContainers ?? [])].map((other) => other.name);
  if (target !== undefined && !targets.includes(target)) errors.push(fieldError.notFound(`${path}.targetContainerName`, target));
  return errors;
}

function validateHostNetworkPorts(container: Container, path: string): FieldError[] {
  return (container.ports ?? []).flatMap((port, index) =>
    port.hostPort === port.containerPort ? [] : [
      fieldError.invalid(`${path}.ports[${index}].containerPort`, port.containerPort, 'must match `hostPort` when `hostNetwork` is true'),
    ]);
}

function validateHostPorts(container: Container, path: string, taken: Set<string>): FieldError[] {
  return (container.ports ?? []).flatMap((port, index) => {
    if (!port.hostPort) return [];
    const key = `${port.protocol ?? 'TCP'}/${port.hostIP ?? ''}/${port.hostPort}`;
    const errors = taken.has(key) ? [fieldError.duplicate(`${path}.ports[${index}].hostPort`, key)] : [];
    taken.add(key);
    return errors;
  });
}

function validateToleration(toleration: Toleration, path: string): FieldError[] {
  const { key, operator = 'Equal', value, effect, tolerationSeconds } = toleration;
  const errors: FieldError[] = [];
  if (key) for (const detail of qualifiedNameErrors(key)) errors.push(fieldError.invalid(`${path}.key`, key, detail));
  else if (operator !== 'Exists') {
    errors.push(fieldError.invalid(`${path}.operator`, operator, "operator must be Exists when `key` is empty, which means \"match all values and all keys\""));
  }
  if (operator === 'Exists' && value) errors.push(fieldError.invalid(`${path}.operator`, toleration, 'value must be empty when `operator` is \'Exists\''));
  if (!['Equal', 'Exists'].includes(operator)) errors.push(fieldError.notSupported(`${path}.operator`, operator, ['Equal', 'Exists']));
  const effects = ['NoExecute', 'NoSchedule', 'PreferNoSchedule'];
  if (effect && !effects.includes(effect)) errors.push(fieldError.notSupported(`${path}.effect`, effect, effects));
  if (tolerationSeconds !== undefined && effect !== 'NoExecute') {
    errors.push(fieldError.invalid(`${path}.effect`, effect ?? '', "effect must be 'NoExecute' when `tolerationSeconds` is set"));
  }
  return errors;
}

/** The template of a workload that keeps its pods running. */
export function validatePodTemplate(template: PodTemplateSpec | undefined, path: string): FieldError[] {
  if (template?.spec === undefined) return [fieldError.required(`${path}.spec.containers`)];
  const errors = [
    ...validateLabels(template.metadata?.labels, `${path}.labels`),
    ...validateAnnotations(template.metadata?.annotations, `${path}.annotations`),
    ...validatePodSpec(template.spec, `${path}.spec`),
  ];
  if ((template.spec.ephemeralContainers ?? []).length > 0) {
    errors.push(fieldError.forbidden(`${path}.spec.ephemeralContainers`, 'ephemeral containers not allowed in pod template'));
  }
  return errors;
}

/** For templates whose pods are always to run again. */
export function validateAlwaysRestart(template: PodTemplateSpec | undefined, path: string): FieldError[] {
  const { restartPolicy: policy, activeDeadlineSeconds: deadline } = template?.spec ?? {};
  const errors = policy === undefined || policy === 'Always' ? [] : [fieldError.notSupported(`${path}.spec.restartPolicy`, policy, ['Always'])];
  if (deadline !== undefined) errors.push(fieldError.forbidden(`${path}.spec.activeDeadlineSeconds`, 'activeDeadlineSeconds in ReplicaSet is not Supported'));
  return errors;
}

const changeable = 'pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,'
  + '`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),'
  + '`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)';

/** An ordinary update of a pod: images, a shorter deadline, more tolerations; all else is fixed. */
export function validatePodUpdate(pod: Pod, old: Pod): FieldError[] {
  const errors: FieldError[] = [];
  if ((pod.spec.containers ?? []).length !== (old.spec.containers ?? []).length) {
    return [fieldError.forbidden('spec.containers', 'pod updates may not add or remove containers')];
  }
  const [deadline, before] = [pod.spec.activeDeadlineSeconds, old.spec.activeDeadlineSeconds];
  if (before !== undefined && (deadline === undefined || deadline > before)) {
    errors.push(fieldError.invalid('spec.activeDeadlineSeconds', deadline, 'must be less than or equal to previous value'));
  }
  const kept = (old.spec.tolerations ?? []).every((one) => (pod.spec.tolerations ?? []).some((other) => sameToleration(one, other)));
  if (!kept) errors.push(fieldError.forbidden('spec.tolerations', 'existing toleration can not be modified except its tolerationSeconds'));
  for (const [index, { name }] of (pod.spec.schedulingGates ?? []).entries()) {
    if ((old.spec.schedulingGates ?? []).some((gate) => gate.name === name)) continue;
    errors.push(fieldError.forbidden(`spec.schedulingGates[${index}]`, `only deletion is allowed, but found new scheduling gate '${name}'`));
  }
  if (!isDeepStrictEqual(fixedPart(pod, old), fixedPart(old, old))) errors.push(fieldError.forbidden('spec', changeable));
  return errors;
}

function sameToleration(one: Toleration, other: Toleration): boolean {
  return isDeepStrictEqual({ ...one, tolerationSeconds: 0 }, { ...other, tolerationSeconds: 0 });
}

/** The spec with everything that may change taken from `old`. */
function fixedPart(pod: Pod, old: Pod): PodSpec {
  const spec = structuredClone(pod.spec);
  for (const list of ['containers', 'initContainers'] as const) {
    for (const [index, container] of (spec[list] ?? []).entries()) container.image = old.spec[list]?.[index]?.image;
  }
  spec.activeDeadlineSeconds = old.spec.activeDeadlineSeconds;
  spec.tolerations = old.spec.tolerations;
  // Gates may go, one by one, while the pod is not scheduled.
  spec.schedulingGates = old.spec.schedulingGates;
  if (spec.terminationGracePeriodSeconds === 1 && (old.spec.terminationGracePeriodSeconds ?? 0) < 0) {
    spec.terminationGracePeriodSeconds = old.spec.terminationGracePeriodSeconds;
  }
  return spec;
}
