/** What a pod and its containers may say of who they run as and what they are confined to. */
import { type FieldError, fieldError } from '#api/kube/field-errors.ts';
import type { PodSecurityContext, PodSpec, SeccompProfile, SecurityContext } from '#api/kube/types.ts';

const maxId = 2 ** 31 - 1;
const sysctlName = /^([a-z0-9][-_a-z0-9]*[a-z0-9]?)([./][a-z0-9]([-_a-z0-9]*[a-z0-9])?)*$/;
const profiles = ['Localhost', 'RuntimeDefault', 'Unconfined'];

export function validatePodSecurity(spec: PodSpec, path: string): FieldError[] {
  const context = spec.securityContext ?? {};
  const at = `${path}.securityContext`;
  const errors = [
    ...ids(at, context, ['runAsUser', 'runAsGroup', 'fsGroup']),
    ...(context.supplementalGroups ?? []).flatMap((id, index) => validateId(`${at}.supplementalGroups[${index}]`, id)),
    ...validateProfile(context.seccompProfile, `${at}.seccompProfile`),
    ...validateSysctls(context, at),
  ];
  const { fsGroupChangePolicy } = context;
  const policies = ['Always', 'OnRootMismatch'];
  if (fsGroupChangePolicy !== undefined && !policies.includes(fsGroupChangePolicy)) {
    errors.push(fieldError.notSupported(`${at}.fsGroupChangePolicy`, fsGroupChangePolicy, policies));
  }
  if (spec.hostPID === true && spec.shareProcessNamespace === true) {
    errors.push(fieldError.invalid(`${path}.shareProcessNamespace`, true, 'ShareProcessNamespace and HostPID cannot both be enabled'));
  }
  return errors;
}

export function validateSecurity(context: SecurityContext | undefined, path: string): FieldError[] {
  if (context === undefined) return [];
  const errors = [...ids(path, context, ['runAsUser', 'runAsGroup']), ...validateProfile(context.seccompProfile, `${path}.seccompProfile`)];
  const mounts = ['Default', 'Unmasked'];
  if (context.procMount !== undefined && !mounts.includes(context.procMount)) {
    errors.push(fieldError.notSupported(`${path}.procMount`, context.procMount, mounts));
  }
  if (context.allowPrivilegeEscalation === false) {
    const refused = 'cannot set `allowPrivilegeEscalation` to false and ';
    if (context.privileged === true) errors.push(fieldError.invalid(path, context, `${refused}\`privileged\` to true`));
    const admin = (context.capabilities?.add ?? []).includes('CAP_SYS_ADMIN');
    if (admin) errors.push(fieldError.invalid(path, context, `${refused}\`capabilities.Add\` CAP_SYS_ADMIN`));
  }
  return errors;
}

function ids<T extends object>(path: string, context: T, fields: readonly (keyof T & string)[]): FieldError[] {
  return fields.flatMap((field) => {
    const id = context[field];
    return typeof id === 'number' ? validateId(`${path}.${field}`, id) : [];
  });
}

function validateId(path: string, id: number): FieldError[] {
  return id >= 0 && id <= maxId ? [] : [fieldError.invalid(path, id, `must be between 0 and ${maxId}, inclusive`)];
}

function validateProfile(profile: SeccompProfile | undefined, path: string): FieldError[] {
  if (profile === undefined) return [];
  const { type, localhostProfile } = profile;
  if (!type) return [fieldError.required(`${path}.type`, 'type is required when seccompProfile is set')];
  if (!profiles.includes(type)) return [fieldError.notSupported(`${path}.type`, type, profiles)];
  if (type !== 'Localhost') {
    const detail = 'can only be set when seccomp type is Localhost';
    return localhostProfile === undefined ? [] : [fieldError.invalid(`${path}.localhostProfile`, localhostProfile, detail)];
  }
  if (!localhostProfile) return [fieldError.required(`${path}.localhostProfile`, 'must be set when seccomp type is Localhost')];
  if (localhostProfile.startsWith('/')) return [fieldError.invalid(`${path}.localhostProfile`, localhostProfile, 'must be a relative path')];
  return localhostProfile.split('/').includes('..') ? [fieldError.invalid(`${path}.localhostProfile`, localhostProfile, "must not contain '..'")] : [];
}

function validateSysctls({ sysctls = [] }: PodSecurityContext, path: string): FieldError[] {
  const seen = new Set<string>();
  return sysctls.flatMap(({ name }, index) => {
    const at = `${path}.sysctls[${index}].name`;
    if (!name) return [fieldError.required(at)];
    const duplicate = seen.has(name) ? [fieldError.duplicate(at, name)] : [];
    seen.add(name);
    if (name.length <= 253 && sysctlName.test(name)) return duplicate;
    return [...duplicate, fieldError.invalid(at, name, `must have at most 253 characters and match regex ${sysctlName.source}`)];
  });
}
