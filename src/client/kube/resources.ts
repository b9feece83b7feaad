/** The resources that Gantry's own parts work with, by the names that the API serves them under. */
import type { ResourceRef } from './types.ts';

const core = (resource: string): ResourceRef => ({ group: '', version: 'v1', resource });
const of = (group: string, resource: string): ResourceRef => ({ group, version: 'v1', resource });

export const bindings = core('bindings');
export const configMaps = core('configmaps');
export const endpoints = core('endpoints');
export const events = core('events');
export const namespaces = core('namespaces');
export const nodes = core('nodes');
export const pods = core('pods');
export const replicationControllers = core('replicationcontrollers');
export const secrets = core('secrets');
export const serviceAccounts = core('serviceaccounts');
export const services = core('services');

export const deployments = of('apps', 'deployments');
export const replicaSets = of('apps', 'replicasets');

export const leases = of('coordination.k8s.io', 'leases');
export const endpointSlices = of('discovery.k8s.io', 'endpointslices');

export const clusterRoles = of('rbac.authorization.k8s.io', 'clusterroles');
export const clusterRoleBindings = of('rbac.authorization.k8s.io', 'clusterrolebindings');
export const roles = of('rbac.authorization.k8s.io', 'roles');
export const roleBindings = of('rbac.authorization.k8s.io', 'rolebindings');

export const tokenReviews = of('authentication.k8s.io', 'tokenreviews');

/** The path of a resource's collection, or of one object, or of its subresource. */
export function resourcePath(ref: ResourceRef, where: { namespace?: string; name?: string; subresource?: string } = {}): string {
  const root = ref.group === '' ? `/api/${ref.version}` : `/apis/${ref.group}/${ref.version}`;
  const { namespace = '', name = '', subresource = '' } = where;
  const scoped = namespace === '' ? root : `${root}/namespaces/${encodeURIComponent(namespace)}`;
  const parts = [scoped, ref.resource, ...[name, subresource].filter((part) => part !== '').map(encodeURIComponent)];
  return parts.join('/');
}
