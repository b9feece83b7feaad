/** What a pod's volumes may say. */
import { type FieldError, fieldError } from '#api/kube/field-errors.ts';
import { dnsLabelErrors } from '#api/kube/names.ts';
import type { KeyToPath, ProjectedVolumeSource, ServiceAccountTokenProjection, Volume } from '#api/kube/types.ts';
import { validateDownwardItems } from './downward-validation.ts';
import { validateLocalPath, validateMode } from './path-validation.ts';

const hostPathTypes = ['', 'BlockDevice', 'CharDevice', 'Directory', 'DirectoryOrCreate', 'File', 'FileOrCreate', 'Socket'];

export function validateVolumes(volumes: readonly Volume[], path: string): FieldError[] {
  const names = new Set<string>();
  return volumes.flatMap((volume, index) => {
    const at = `${path}[${index}]`;
    const errors = validateSource(volume, at);
    if (!volume.name) errors.push(fieldError.required(`${at}.name`));
    else {
      for (const detail of dnsLabelErrors(volume.name)) errors.push(fieldError.invalid(`${at}.name`, volume.name, detail));
      if (names.has(volume.name)) errors.push(fieldError.duplicate(`${at}.name`, volume.name));
      names.add(volume.name);
    }
    return errors;
  });
}

function validateSource(volume: Volume, path: string): FieldError[] {
  const sources = Object.keys(volume).filter((key) => key !== 'name');
  const errors = sources.slice(1).map((key) => fieldError.forbidden(`${path}.${key}`, 'may not specify more than 1 volume type'));
  if (sources.length === 0) errors.push(fieldError.required(path, 'must specify a volume type'));
  const { hostPath, configMap, secret, downwardAPI, projected } = volume;
  if (hostPath !== undefined) {
    if (!hostPath.path) errors.push(fieldError.required(`${path}.hostPath.path`));
    else if (hostPath.path.split('/').includes('..')) errors.push(fieldError.invalid(`${path}.hostPath.path`, hostPath.path, "must not contain '..'"));
    if (!hostPathTypes.includes(hostPath.type ?? '')) errors.push(fieldError.notSupported(`${path}.hostPath.type`, hostPath.type, hostPathTypes));
  }
  if (configMap !== undefined) {
    if (!configMap.name) errors.push(fieldError.required(`${path}.configMap.name`));
    errors.push(...validateMode(configMap.defaultMode, `${path}.configMap.defaultMode`), ...validateItems(configMap.items ?? [], `${path}.configMap.items`));
  }
  if (secret !== undefined) {
    if (!secret.secretName) errors.push(fieldError.required(`${path}.secret.secretName`));
    errors.push(...validateMode(secret.defaultMode, `${path}.secret.defaultMode`), ...validateItems(secret.items ?? [], `${path}.secret.items`));
  }
  if (downwardAPI !== undefined) {
    errors.push(
      ...validateMode(downwardAPI.defaultMode, `${path}.downwardAPI.defaultMode`),
      ...validateDownwardItems(downwardAPI.items ?? [], `${path}.downwardAPI.items`),
    );
  }
  if (projected !== undefined) errors.push(...validateProjected(projected, `${path}.projected`));
  return errors;
}

function validateProjected(projected: ProjectedVolumeSource, path: string): FieldError[] {
  const errors = validateMode(projected.defaultMode, `${path}.defaultMode`);
  for (const [index, source] of (projected.sources ?? []).entries()) {
    const given = Object.keys(source);
    const at = `${path}.sources[${index}]`;
    if (given.length === 0) errors.push(fieldError.required(at, 'may not be empty'));
    for (const key of given.slice(1)) errors.push(fieldError.forbidden(`${at}.${key}`, 'may not specify more than 1 volume type per source'));
    errors.push(...validateItems(source.configMap?.items ?? [], `${at}.configMap.items`), ...validateItems(source.secret?.items ?? [], `${at}.secret.items`));
    errors.push(...validateDownwardItems(source.downwardAPI?.items ?? [], `${at}.downwardAPI.items`));
    const token = source.serviceAccountToken;
    if (token !== undefined) errors.push(...validateToken(token, `${at}.serviceAccountToken`));
  }
  return errors;
}

function validateToken({ path: file, expirationSeconds: seconds = 3600 }: ServiceAccountTokenProjection, path: string): FieldError[] {
  const errors = file ? validateLocalPath(file, `${path}.path`) : [fieldError.required(`${path}.path`)];
  if (seconds < 600) errors.push(fieldError.invalid(`${path}.expirationSeconds`, seconds, 'may not specify a duration less than 10 minutes'));
  if (seconds > 2 ** 32) errors.push(fieldError.invalid(`${path}.expirationSeconds`, seconds, 'may not specify a duration larger than 2^32 seconds'));
  return errors;
}

function validateItems(items: readonly KeyToPath[], path: string): FieldError[] {
  return items.flatMap((item, index) => {
    const at = `${path}[${index}]`;
    const errors = validateLocalPath(item.path, `${at}.path`);
    if (!item.key) errors.push(fieldError.required(`${at}.key`));
    if (!item.path) errors.push(fieldError.required(`${at}.path`));
    return [...errors, ...validateMode(item.mode, `${at}.mode`)];
  });
}
