/** What a service's type brings with it, and what goes when the type changes. */
import { isDeepStrictEqual } from 'node:util';
import type { ServiceSpec } from '#api/kube/types.ts';

function needsClusterIP({ type }: ServiceSpec): boolean {
  return type !== 'ExternalName';
}

function needsNodePorts({ type }: ServiceSpec): boolean {
  return type === 'NodePort' || type === 'LoadBalancer';
}

function isReachable(spec: ServiceSpec): boolean {
  return needsNodePorts(spec) || (spec.externalIPs ?? []).length > 0;
}

/**
 * Fields that only the old type had go, where the client sent them back as they were; what it changed stays,
 * for validation to refuse.
 */
export function dropTypeFields(spec: ServiceSpec, old: ServiceSpec): void {
  if (needsClusterIP(old) && !needsClusterIP(spec)) {
    dropUnchanged(spec, old, ['clusterIP', 'clusterIPs', 'ipFamilies', 'ipFamilyPolicy', 'internalTrafficPolicy']);
  }
  if (needsNodePorts(old) && !needsNodePorts(spec)) {
    const same = isDeepStrictEqual((spec.ports ?? []).map(({ nodePort }) => nodePort), (old.ports ?? []).map(({ nodePort }) => nodePort));
    if (same) for (const port of spec.ports ?? []) delete port.nodePort;
  }
  if (isReachable(old) && !isReachable(spec)) dropUnchanged(spec, old, ['externalTrafficPolicy', 'healthCheckNodePort']);
  if (spec.type !== 'LoadBalancer') dropUnchanged(spec, old, ['allocateLoadBalancerNodePorts', 'loadBalancerClass', 'loadBalancerSourceRanges']);
}

function dropUnchanged(spec: ServiceSpec, old: ServiceSpec, fields: readonly (keyof ServiceSpec)[]): void {
  for (const field of fields) if (isDeepStrictEqual(spec[field], old[field])) delete spec[field];
}

/** `clusterIP` is the first of `clusterIPs`; a client that knows only the one speaks for both. */
export function alignClusterIPs(spec: ServiceSpec, old?: ServiceSpec): void {
  const { clusterIP, clusterIPs } = spec;
  if (clusterIP && (clusterIPs ?? []).length === 0) spec.clusterIPs = [clusterIP];
  if (old === undefined || clusterIP === old.clusterIP || !isDeepStrictEqual(clusterIPs, old.clusterIPs)) return;
  if (clusterIP) spec.clusterIPs = [clusterIP, ...(clusterIPs ?? []).slice(1)];
  else if (old.clusterIP !== undefined) delete spec.clusterIPs;
}
