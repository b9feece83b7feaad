/** What may be said of a pod to its own containers: fields of it, and resources of its containers. */
import { type FieldError, fieldError } from '#api/kube/field-errors.ts';
import { qualifiedNameErrors } from '#api/kube/names.ts';
import type { DownwardAPIVolumeFile, ObjectFieldSelector, ResourceFieldSelector } from '#api/kube/types.ts';
import { validateLocalPath, validateMode } from './path-validation.ts';

const ofMetadata = ['metadata.name', 'metadata.namespace', 'metadata.uid'];
const inVariables = [
  ...ofMetadata, 'spec.nodeName', 'spec.serviceAccountName', 'status.hostIP', 'status.hostIPs', 'status.podIP', 'status.podIPs',
];
const inFiles = [...ofMetadata, 'metadata.annotations', 'metadata.labels'];
/** Fields that have a name for this use, and that a variable or a file may still not show. */
const known = new Set([...inVariables, ...inFiles, 'spec.restartPolicy', 'spec.schedulerName', 'status.phase']);
const resource = /^(limits|requests)\.(cpu|memory|ephemeral-storage|hugepages-.+)$/;
const resources = ['limits.cpu', 'limits.ephemeral-storage', 'limits.memory', 'requests.cpu', 'requests.ephemeral-storage', 'requests.memory'];

/** `where`: an environment variable shows other fields than a file. */
export function validateFieldRef({ fieldPath }: ObjectFieldSelector, path: string, where: 'variable' | 'file'): FieldError[] {
  const at = `${path}.fieldPath`;
  if (!fieldPath) return [fieldError.required(at)];
  const subscript = /^(metadata\.(?:annotations|labels))\['([^']*)'\]$/.exec(fieldPath);
  if (subscript) {
    const key = subscript[1] === 'metadata.annotations' ? (subscript[2] ?? '').toLowerCase() : (subscript[2] ?? '');
    return qualifiedNameErrors(key).map((detail) => fieldError.invalid(at, subscript[2], detail));
  }
  if (!known.has(fieldPath)) return [fieldError.invalid(at, fieldPath, `error converting fieldPath: field label not supported: ${fieldPath}`)];
  const supported = where === 'variable' ? inVariables : inFiles;
  return supported.includes(fieldPath) ? [] : [fieldError.notSupported(at, fieldPath, supported)];
}

export function validateResourceFieldRef(ref: ResourceFieldSelector, path: string, where: 'variable' | 'file'): FieldError[] {
  const errors = where === 'file' && !ref.containerName ? [fieldError.required(`${path}.containerName`)] : [];
  if (!ref.resource) return [...errors, fieldError.required(`${path}.resource`)];
  return resource.test(ref.resource) ? errors : [...errors, fieldError.notSupported(`${path}.resource`, ref.resource, resources)];
}

/** The files of a downward volume, or of that part of a projected one. */
export function validateDownwardItems(items: readonly DownwardAPIVolumeFile[], path: string): FieldError[] {
  return items.flatMap((item, index) => {
    const at = `${path}[${index}]`;
    const errors = item.path ? validateLocalPath(item.path, `${at}.path`) : [fieldError.required(`${at}.path`)];
    errors.push(...validateMode(item.mode, `${at}.mode`));
    if (item.fieldRef === undefined && item.resourceFieldRef === undefined) {
      errors.push(fieldError.required(at, 'one of `fieldRef` and `resourceFieldRef` is required'));
    } else if (item.fieldRef !== undefined && item.resourceFieldRef !== undefined) {
      errors.push(fieldError.invalid(at, 'resource', '`fieldRef` and `resourceFieldRef` can not be specified simultaneously'));
    }
    if (item.fieldRef !== undefined) errors.push(...validateFieldRef(item.fieldRef, `${at}.fieldRef`, 'file'));
    if (item.resourceFieldRef !== undefined) errors.push(...validateResourceFieldRef(item.resourceFieldRef, `${at}.resourceFieldRef`, 'file'));
    return errors;
  });
}
