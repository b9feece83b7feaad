/** Every resource that is served, in the order of discovery. */
import { deployments } from './apps/deployment.ts';
import { replicaSets } from './apps/replicaset.ts';
import { configMaps } from './core/configmap.ts';
import { namespaces } from './core/namespace.ts';
import { pods } from './core/pod.ts';
import { replicationControllers } from './core/replicationcontroller.ts';
import { services } from './core/service.ts';
import type { Resource } from './types.ts';

export const resources: readonly Resource[] = [
  configMaps,
  namespaces,
  pods,
  replicationControllers,
  services,
  deployments,
  replicaSets,
];
