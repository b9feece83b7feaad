/**
 * Controllers: each makes one kind of thing true. `observe` gathers what it goes by from informers, `plan`
 * decides purely (and prints as text), and `controller` joins them in the reconcile loop and executes.
 */
import type { Controller } from '#cluster/machinery/types.ts';
import type { NodeLifecycleContext } from './nodelifecycle/controller.ts';

export interface ClusterControllerContext extends NodeLifecycleContext {
  /** PEM of the authority that signed the API server's certificate; pods find it in `kube-root-ca.crt`. */
  rootCa: string;
}

export type ClusterControllerFactory = (context: ClusterControllerContext) => Controller;
