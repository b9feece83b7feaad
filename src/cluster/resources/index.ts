/** Every resource that is served, in the order of discovery (which decides ambiguous short names). */
import { deployments } from './apps/deployment.ts';
import { replicaSets } from './apps/replicaset.ts';
import { leases } from './coordination/lease.ts';
import { configMaps } from './core/configmap.ts';
import { endpoints } from './core/endpoints.ts';
import { events } from './core/event.ts';
import { namespaces } from './core/namespace.ts';
import { nodes } from './core/node.ts';
import { pods } from './core/pod.ts';
import { replicationControllers } from './core/replicationcontroller.ts';
import { secrets } from './core/secret.ts';
import { services } from './core/service.ts';
import { serviceAccounts } from './core/serviceaccount.ts';
import { endpointSlices } from './discovery/endpointslice.ts';
import { eventsEvents } from './events/event.ts';
import { clusterRoleBindings, roleBindings } from './rbac/bindings.ts';
import { clusterRoles, roles } from './rbac/roles.ts';
import { priorityClasses } from './scheduling/priorityclass.ts';
import type { Resource } from './types.ts';

export const resources: readonly Resource[] = [
  configMaps,
  endpoints,
  events,
  namespaces,
  nodes,
  pods,
  replicationControllers,
  secrets,
  serviceAccounts,
  services,
  deployments,
  replicaSets,
  eventsEvents,
  clusterRoleBindings,
  clusterRoles,
  roleBindings,
  roles,
  priorityClasses,
  leases,
  endpointSlices,
];
