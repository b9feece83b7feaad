/**
 * The facts file: Kubernetes API messages with protobuf numbers and structural markers, keyed by full
 * protobuf name. Read, narrowed to the group versions Gantry serves, and renamed to `<group>.<version>.<Name>`.
 */
import { readFileSync } from 'node:fs';

export interface FactField {
  n: number;
  t: string;
  r?: 1;
  inline?: 1;
  json?: string;
  oe?: 1;
  oz?: 1;
  m?: Record<string, unknown>;
}

export type FactMessages = Map<string, Map<string, FactField>>;

/** Protobuf package -> short package. Order decides who keeps a plain TypeScript name on a clash. */
export const packages: ReadonlyArray<readonly [string, string]> = [
  ['k8s.io.apimachinery.pkg.apis.meta.v1', 'meta.v1'],
  ['k8s.io.apimachinery.pkg.runtime', 'runtime'],
  ['k8s.io.apimachinery.pkg.api.resource', 'resource'],
  ['k8s.io.apimachinery.pkg.util.intstr', 'intstr'],
  ['k8s.io.api.resource.v1', 'resource.v1'],
  ['k8s.io.api.rbac.v1', 'rbac.v1'],
  ['k8s.io.api.authentication.v1', 'authentication.v1'],
  ['k8s.io.api.core.v1', 'core.v1'],
  ['k8s.io.api.apps.v1', 'apps.v1'],
  ['k8s.io.api.batch.v1', 'batch.v1'],
  ['k8s.io.api.autoscaling.v2', 'autoscaling.v2'],
  ['k8s.io.api.autoscaling.v1', 'autoscaling.v1'],
  ['k8s.io.api.networking.v1', 'networking.v1'],
  ['k8s.io.api.discovery.v1', 'discovery.v1'],
  ['k8s.io.api.policy.v1', 'policy.v1'],
  ['k8s.io.api.storage.v1', 'storage.v1'],
  ['k8s.io.api.scheduling.v1', 'scheduling.v1'],
  ['k8s.io.api.coordination.v1', 'coordination.v1'],
  ['k8s.io.api.node.v1', 'node.v1'],
  ['k8s.io.api.events.v1', 'events.v1'],
  ['k8s.io.api.authorization.v1', 'authorization.v1'],
  ['k8s.io.api.certificates.v1', 'certificates.v1'],
  ['k8s.io.api.admissionregistration.v1', 'admissionregistration.v1'],
  ['k8s.io.api.admission.v1', 'admission.v1'],
  ['k8s.io.api.flowcontrol.v1', 'flowcontrol.v1'],
  ['k8s.io.api.apidiscovery.v2', 'apidiscovery.v2'],
  ['k8s.io.apiextensions_apiserver.pkg.apis.apiextensions.v1', 'apiextensions.v1'],
  ['k8s.io.kube_aggregator.pkg.apis.apiregistration.v1', 'apiregistration.v1'],
];

/** Old copies of meta types that nothing refers to. */
const unused = new Set(['core.v1.List', 'core.v1.Preconditions']);

const shortPackage = new Map(packages);

/** `k8s.io.api.core.v1.Pod` -> `core.v1.Pod`; undefined outside the served packages. */
export function shortName(full: string): string | undefined {
  const dot = full.lastIndexOf('.');
  const pkg = shortPackage.get(full.slice(0, dot));
  return pkg === undefined ? undefined : `${pkg}.${full.slice(dot + 1)}`;
}

export function readFacts(path: string): FactMessages {
  const file = JSON.parse(readFileSync(path, 'utf8')) as { messages: Record<string, Record<string, FactField>> };
  const result: FactMessages = new Map();
  for (const [full, fields] of Object.entries(file.messages)) {
    const name = shortName(full);
    if (name === undefined || unused.has(name)) continue;
    result.set(name, new Map(Object.entries(fields)));
  }
  return result;
}
