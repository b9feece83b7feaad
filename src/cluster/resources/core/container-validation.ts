/** What a container may say. */
import { type FieldError, fieldError } from '#api/kube/field-errors.ts';
import { dnsLabelErrors, envVarNameErrors, portNameErrors, portNumberErrors, qualifiedNameErrors } from '#api/kube/names.ts';
import { compareQuantities } from '#api/kube/quantity.ts';
import type { Container, ContainerPort, EnvVar, IntOrString, ResourceRequirements, VolumeMount } from '#api/kube/types.ts';
import { validateFieldRef, validateResourceFieldRef } from './downward-validation.ts';
import { validateLocalPath } from './path-validation.ts';
import { validateSecurity } from './security-validation.ts';

export const protocols = ['SCTP', 'TCP', 'UDP'];
const pullPolicies = ['Always', 'IfNotPresent', 'Never'];
const messagePolicies = ['FallbackToLogsOnError', 'File'];
const propagations = ['Bidirectional', 'HostToContainer', 'None'];

/** The checks that hold for init, ordinary and ephemeral containers alike. */
export function validateContainer(container: Container, path: string, volumes: ReadonlySet<string>): FieldError[] {
  const errors: FieldError[] = [];
  if (!container.name) errors.push(fieldError.required(`${path}.name`));
  else for (const detail of dnsLabelErrors(container.name)) errors.push(fieldError.invalid(`${path}.name`, container.name, detail));
  const { image } = container;
  if (image !== undefined && image !== image.trim()) errors.push(fieldError.invalid(`${path}.image`, image, 'must not have leading or trailing whitespace'));
  else if (!image) errors.push(fieldError.required(`${path}.image`));
  errors.push(
    ...oneOf(`${path}.imagePullPolicy`, container.imagePullPolicy, pullPolicies),
    ...oneOf(`${path}.terminationMessagePolicy`, container.terminationMessagePolicy, messagePolicies),
    ...validatePorts(container.ports ?? [], `${path}.ports`),
    ...validateEnv(container.env ?? [], `${path}.env`),
    ...validateMounts(container, `${path}.volumeMounts`, volumes),
    ...validateResources(container.resources ?? {}, `${path}.resources`),
    ...validateSecurity(container.securityContext, `${path}.securityContext`),
  );
  for (const [index, source] of (container.envFrom ?? []).entries()) {
    const given = [source.configMapRef, source.secretRef].filter((ref) => ref !== undefined).length;
    if (given === 0) errors.push(fieldError.invalid(`${path}.envFrom[${index}]`, '', 'must specify one of: `configMapRef` or `secretRef`'));
    if (given > 1) errors.push(fieldError.invalid(`${path}.envFrom[${index}]`, '', 'may not have more than one field specified at a time'));
  }
  return errors;
}

/** A port's number or its name. */
export function validatePortReference(port: IntOrString | undefined, path: string): FieldError[] {
  if (port === undefined) return [fieldError.required(path)];
  const details = typeof port === 'number' ? portNumberErrors(port) : portNameErrors(port);
  return details.map((detail) => fieldError.invalid(path, port, detail));
}

function validatePorts(ports: readonly ContainerPort[], path: string): FieldError[] {
  const names = new Set<string>();
  return ports.flatMap((port, index) => {
    const at = `${path}[${index}]`;
    const errors: FieldError[] = [];
    if (port.name !== undefined) {
      for (const detail of portNameErrors(port.name)) errors.push(fieldError.invalid(`${at}.name`, port.name, detail));
      if (names.has(port.name)) errors.push(fieldError.duplicate(`${at}.name`, port.name));
      names.add(port.name);
    }
    if (!port.containerPort) errors.push(fieldError.required(`${at}.containerPort`));
    else for (const detail of portNumberErrors(port.containerPort)) errors.push(fieldError.invalid(`${at}.containerPort`, port.containerPort, detail));
    if (port.hostPort) for (const detail of portNumberErrors(port.hostPort)) errors.push(fieldError.invalid(`${at}.hostPort`, port.hostPort, detail));
    return [...errors, ...oneOf(`${at}.protocol`, port.protocol, protocols)];
  });
}

function validateEnv(env: readonly EnvVar[], path: string): FieldError[] {
  return env.flatMap((item, index) => {
    const at = `${path}[${index}]`;
    const errors: FieldError[] = [];
    if (!item.name) errors.push(fieldError.required(`${at}.name`));
    else for (const detail of envVarNameErrors(item.name)) errors.push(fieldError.invalid(`${at}.name`, item.name, detail));
    if (item.valueFrom === undefined) return errors;
    const given = Object.keys(item.valueFrom).length;
    const sources = '`fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`';
    if (given === 0) errors.push(fieldError.invalid(`${at}.valueFrom`, '', `must specify one of: ${sources}`));
    if (item.value) errors.push(fieldError.invalid(`${at}.valueFrom`, '', 'may not be specified when `value` is not empty'));
    else if (given > 1) errors.push(fieldError.invalid(`${at}.valueFrom`, '', 'may not have more than one field specified at a time'));
    const { fieldRef, resourceFieldRef } = item.valueFrom;
    if (fieldRef !== undefined) errors.push(...validateFieldRef(fieldRef, `${at}.valueFrom.fieldRef`, 'variable'));
    if (resourceFieldRef !== undefined) errors.push(...validateResourceFieldRef(resourceFieldRef, `${at}.valueFrom.resourceFieldRef`, 'variable'));
    for (const ref of ['configMapKeyRef', 'secretKeyRef'] as const) {
      const selector = item.valueFrom[ref];
      if (selector !== undefined && !selector.name) errors.push(fieldError.required(`${at}.valueFrom.${ref}.name`));
      if (selector !== undefined && !selector.key) errors.push(fieldError.required(`${at}.valueFrom.${ref}.key`));
    }
    return errors;
  });
}

function validateMounts(container: Container, path: string, volumes: ReadonlySet<string>): FieldError[] {
  const places = new Set<string>();
  return (container.volumeMounts ?? []).flatMap((mount, index) => {
    const at = `${path}[${index}]`;
    const errors: FieldError[] = [];
    if (!mount.name) errors.push(fieldError.required(`${at}.name`));
    else if (!volumes.has(mount.name)) errors.push(fieldError.notFound(`${at}.name`, mount.name));
    if (!mount.mountPath) errors.push(fieldError.required(`${at}.mountPath`));
    else if (places.has(mount.mountPath)) errors.push(fieldError.invalid(`${at}.mountPath`, mount.mountPath, 'must be unique'));
    places.add(mount.mountPath);
    for (const key of ['subPath', 'subPathExpr'] as const) errors.push(...validateLocalPath(mount[key], `${at}.${key}`));
    if (mount.subPath && mount.subPathExpr) errors.push(fieldError.invalid(`${at}.subPathExpr`, mount.subPathExpr, 'subPathExpr and subPath are mutually exclusive'));
    return [...errors, ...validatePropagation(mount, container, `${at}.mountPropagation`)];
  });
}

function validatePropagation({ mountPropagation: propagation }: VolumeMount, { securityContext }: Container, path: string): FieldError[] {
  if (propagation === undefined) return [];
  if (!propagations.includes(propagation)) return [fieldError.notSupported(path, propagation, propagations)];
  if (propagation !== 'Bidirectional' || securityContext?.privileged === true) return [];
  return [fieldError.forbidden(path, 'Bidirectional mount propagation is available only to privileged containers')];
}

function validateResources(resources: ResourceRequirements, path: string): FieldError[] {
  const errors: FieldError[] = [];
  for (const list of ['limits', 'requests'] as const) {
    for (const [name, quantity] of Object.entries(resources[list] ?? {})) {
      const at = `${path}.${list}[${name}]`;
      for (const detail of qualifiedNameErrors(name)) errors.push(fieldError.invalid(at, name, detail));
      if (!name.includes('/') && !/^(cpu|memory|ephemeral-storage|hugepages-.+)$/.test(name)) {
        errors.push(fieldError.invalid(at, name, 'must be a standard resource for containers'));
      }
      if (compareQuantities(quantity, '0') < 0) errors.push(fieldError.invalid(at, quantity, 'must be greater than or equal to 0'));
      const limit = list === 'requests' ? resources.limits?.[name] : undefined;
      if (limit !== undefined && compareQuantities(quantity, limit) > 0) {
        errors.push(fieldError.invalid(at, quantity, `must be less than or equal to ${name} limit of ${limit}`));
      }
    }
  }
  return errors;
}

/** An error where a text that must be one of a few is another. */
export function oneOf(path: string, value: string | undefined, supported: readonly string[]): FieldError[] {
  if (value === undefined || value === '') return [fieldError.required(path)];
  return supported.includes(value) ? [] : [fieldError.notSupported(path, value, supported)];
}
