import type { ClusterRole } from '#api/kube/types.ts';
import { isFault } from '#lib/errors.ts';
import { clusterRoles } from '#client/kube/resources.ts';
import type { KubeClient } from '#client/kube/types.ts';
import { runController } from '#cluster/machinery/controller.ts';
import { WorkQueue } from '#cluster/machinery/queue.ts';
import type { ControllerFactory } from '#cluster/machinery/types.ts';
import { planText } from '../planned.ts';
import { isAggregated, planAggregation } from './plan.ts';
import type { Operation } from './plan.ts';

const name = 'clusterroleaggregation';

/** Keeps cluster roles with an aggregation rule what the roles that they select add up to. */
export const clusterRoleAggregationController: ControllerFactory = (context) => {
  const { client, clock, log, signal, informers } = context;
  const queue = new WorkQueue({ clock });
  const roles = informers.of<ClusterRole>(clusterRoles);
  // Any role may be a part of any other, by its labels of now or before.
  roles.onChange(() => {
    for (const role of roles.list()) if (isAggregated(role)) queue.add(role.metadata.name ?? '');
  });
  const reconcile = async (key: string): Promise<void> => {
    const role = roles.get(key);
    if (!role) return;
    const plan = planAggregation(role, roles.list());
    if (plan.length > 0) log.info(planText(plan), { controller: name });
    for (const operation of plan) await execute(client, operation, signal);
  };
  return { name, run: () => runController({ name, queue, workers: 1, synced: [roles.synced], reconcile, signal, log, clock }) };
};

async function execute(client: KubeClient, { role, rules }: Operation, signal: AbortSignal): Promise<void> {
  const { name: roleName = '', uid, resourceVersion } = role.metadata;
  try {
    await client.patch(clusterRoles, roleName, { type: 'merge', body: { metadata: { uid, resourceVersion }, rules } }, { signal });
  } catch (error) {
    if (!isFault(error, 'not-found')) throw error;
  }
}
