import type { Clock } from '#lib/clock.ts';
import type { Logger } from '#lib/log.ts';
import type { Random } from '#lib/random.ts';
import type { KubeClient } from '#client/kube/types.ts';
import { createEventRecorder } from '#cluster/machinery/events.ts';
import { createInformers } from '#cluster/machinery/informers.ts';
import { clusterRoleAggregationController } from './clusterroleaggregation/controller.ts';
import { deploymentController } from './deployment/controller.ts';
import { endpointsController } from './endpoints/controller.ts';
import { endpointSliceController } from './endpointslice/controller.ts';
import { endpointSliceMirroringController } from './endpointslicemirroring/controller.ts';
import { garbageController } from './garbagecollector/controller.ts';
import { nodeLifecycleController, type NodeLifecycleContext } from './nodelifecycle/controller.ts';
import { namespaceController } from './namespace/controller.ts';
import { podGarbageController } from './podgc/controller.ts';
import { replicaSetController, replicationControllerController } from './replicaset/controller.ts';
import { serviceAccountController } from './serviceaccount/controller.ts';
import { serviceAccountTokenController } from './serviceaccounttokens/controller.ts';
import type { ClusterControllerFactory } from './types.ts';

/** In the order in which they start: first what others' objects wait for. */
export const controllers: readonly ClusterControllerFactory[] = [
  serviceAccountController,
  replicaSetController,
  replicationControllerController,
  deploymentController,
  endpointSliceController,
  endpointsController,
  endpointSliceMirroringController,
  nodeLifecycleController,
  podGarbageController,
  namespaceController,
  garbageController,
  clusterRoleAggregationController,
  serviceAccountTokenController,
];

export interface ControllersOptions extends Pick<NodeLifecycleContext, 'sights' | 'nodeGraceMs'> {
  client: KubeClient;
  clock: Clock;
  log: Logger;
  random: Random;
  signal: AbortSignal;
  /** PEM of the authority that signed the API server's certificate. */
  rootCa: string;
}

/** Runs all controllers over one set of informers until the signal; resolves when what was under way has ended. */
export async function startControllers(options: ControllersOptions): Promise<void> {
  const log = options.log.child('controllers');
  const informers = createInformers({ ...options, log });
  const context = { ...options, log, informers, events: createEventRecorder({ ...options, log }) };
  await Promise.all(controllers.map((create) => create(context).run()));
}
