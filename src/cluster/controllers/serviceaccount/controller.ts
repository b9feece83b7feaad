/** The `default` service account and the cluster's authority, in each namespace. */
import type { ConfigMap, Namespace, ServiceAccount } from '#api/kube/types.ts';
import { isFault } from '#lib/errors.ts';
import { configMaps, namespaces as namespacesRef, serviceAccounts } from '#client/kube/resources.ts';
import type { KubeClient } from '#client/kube/types.ts';
import { runController } from '#cluster/machinery/controller.ts';
import { createInformer } from '#cluster/machinery/informer.ts';
import { WorkQueue } from '#cluster/machinery/queue.ts';
import type { Controller } from '#cluster/machinery/types.ts';
import { keyFor, keyOf } from '#cluster/machinery/types.ts';
import { isTerminating } from '../endpoints/controller.ts';
import { planText } from '../planned.ts';
import type { ClusterControllerContext } from '../types.ts';
import { accountName, planNamespace, rootCaName } from './plan.ts';
import type { Operation } from './plan.ts';

const workers = 4;

export function serviceAccountController(context: ClusterControllerContext): Controller {
  const { client, clock, log, signal, informers, rootCa } = context;
  const queue = new WorkQueue({ clock });
  const namespaces = informers.of<Namespace>(namespacesRef);
  const accounts = informers.of<ServiceAccount>(serviceAccounts);
  // Only these: all config maps of a cluster are much to hold for one name.
  const rootCas = createInformer<ConfigMap>({ client, clock, log, signal, ref: configMaps, fieldSelector: `metadata.name=${rootCaName}` });
  namespaces.onChange(({ object }) => queue.add(keyOf(object)));
  accounts.onChange(({ type, object }) => {
    if (type === 'DELETED' && object.metadata.name === accountName) queue.add(object.metadata.namespace ?? '');
  });
  rootCas.onChange(({ type, object }) => {
    if (type !== 'ADDED') queue.add(object.metadata.namespace ?? '');
  });
  const reconcile = async (key: string): Promise<void> => {
    const namespace = namespaces.get(key);
    if (!namespace) return;
    const plan = planNamespace(namespace, { account: accounts.get(keyFor(key, accountName)), rootCa: rootCas.get(keyFor(key, rootCaName)) }, rootCa);
    if (plan.length > 0) log.debug(planText(plan), { controller: 'serviceaccount' });
    for (const operation of plan) await execute(client, operation);
  };
  const synced = [namespaces.synced, accounts.synced, rootCas.synced];
  return { name: 'serviceaccount', run: () => runController({ name: 'serviceaccount', queue, workers, synced, reconcile, signal, log, clock }) };
}

async function execute(client: KubeClient, operation: Operation): Promise<void> {
  try {
    if (operation.do === 'create-account') await client.create(serviceAccounts, operation.account);
    else if (operation.do === 'create-root-ca') await client.create(configMaps, operation.configMap);
    else await client.update(configMaps, operation.configMap);
  } catch (error) {
    if (!isFault(error, 'already-exists', 'not-found') && !isTerminating(error)) throw error;
  }
}
