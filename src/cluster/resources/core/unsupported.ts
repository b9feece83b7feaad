/**
 * What no node here can do for a pod: refused at the door, in pods and templates alike, rather than by one node after
 * the other, pod after pod.
 */
import { type FieldError, fieldError } from '#api/kube/field-errors.ts';
import type { Container, EphemeralContainer, PodSpec, Volume, VolumeProjection } from '#api/kube/types.ts';

const detail = 'is not supported by this cluster';
const volumeSources = new Set<string>(['configMap', 'downwardAPI', 'emptyDir', 'hostPath', 'projected', 'secret']);
const projectedSources = new Set<string>(['configMap', 'downwardAPI', 'secret', 'serviceAccountToken'] satisfies (keyof VolumeProjection)[]);

export function refuseUnsupported(spec: PodSpec, path: string): FieldError[] {
  const refuse = (field: string, what = detail): FieldError => fieldError.forbidden(`${path}.${field}`, what);
  const given = (['runtimeClassName', 'shareProcessNamespace', 'hostnameOverride', 'schedulingGroup'] as const).filter((field) => spec[field]);
  const filled = (['resources', 'overhead', 'resourceClaims'] as const).filter((field) => Object.keys(spec[field] ?? {}).length > 0);
  return [
    ...[...given, ...filled].map((field) => refuse(field)),
    ...(spec.hostUsers === false ? [refuse('hostUsers', 'user namespaces are not supported by this cluster')] : []),
    ...refuseConfinement(spec.securityContext ?? {}, `${path}.securityContext`),
    ...(spec.volumes ?? []).flatMap((volume, index) => refuseVolume(volume, `${path}.volumes[${index}]`)),
    ...(['initContainers', 'containers', 'ephemeralContainers'] as const).flatMap((list) =>
      (spec[list] ?? []).flatMap((container, index) => refuseInContainer(container, `${path}.${list}[${index}]`))),
  ];
}

interface Confinement {
  seLinuxOptions?: object;
  appArmorProfile?: { type: string };
}

function refuseConfinement(context: Confinement, path: string): FieldError[] {
  return [
    ...(context.seLinuxOptions === undefined ? [] : [fieldError.forbidden(`${path}.seLinuxOptions`, detail)]),
    ...(context.appArmorProfile?.type === 'Localhost' ? [fieldError.forbidden(`${path}.appArmorProfile.localhostProfile`, detail)] : []),
  ];
}

function refuseVolume(volume: Volume, path: string): FieldError[] {
  const medium = volume.emptyDir?.medium ?? '';
  return [
    ...Object.keys(volume).filter((key) => key !== 'name' && !volumeSources.has(key)).map((key) => fieldError.forbidden(`${path}.${key}`, detail)),
    ...(medium === '' || medium === 'Memory' ? [] : [fieldError.notSupported(`${path}.emptyDir.medium`, medium, ['', 'Memory'])]),
    ...(volume.projected?.sources ?? []).flatMap((source, index) =>
      Object.keys(source).filter((key) => !projectedSources.has(key)).map((key) => fieldError.forbidden(`${path}.projected.sources[${index}].${key}`, detail))),
  ];
}

function refuseInContainer(container: Container | EphemeralContainer, path: string): FieldError[] {
  const refuse = (field: string): FieldError => fieldError.forbidden(`${path}.${field}`, detail);
  const indexed = <T>(items: readonly T[] | undefined, list: string, field: string, wrong: (item: T) => boolean): FieldError[] =>
    (items ?? []).flatMap((item, index) => (wrong(item) ? [refuse(`${list}[${index}].${field}`)] : []));
  return [
    ...((container.volumeDevices ?? []).length > 0 ? [refuse('volumeDevices')] : []),
    ...((container.resources?.claims ?? []).length > 0 ? [refuse('resources.claims')] : []),
    ...indexed(container.volumeMounts, 'volumeMounts', 'recursiveReadOnly', (mount) => mount.recursiveReadOnly === 'Enabled'),
    ...indexed(container.env, 'env', 'valueFrom.fileKeyRef', (item) => item.valueFrom?.fileKeyRef !== undefined),
    ...indexed(container.ports, 'ports', 'hostPort', (port) => (port.hostPort ?? 0) !== 0 && port.protocol === 'SCTP'),
    ...indexed(container.restartPolicyRules, 'restartPolicyRules', 'action', (rule) => rule.action === 'RestartAllContainers'),
    ...refuseConfinement(container.securityContext ?? {}, `${path}.securityContext`),
  ];
}
