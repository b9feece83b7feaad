import type { Lease, Node, Pod, PodCondition } from '#api/kube/types.ts';
import { isoSeconds } from '#lib/clock.ts';
import { isFault } from '#lib/errors.ts';
import { leases as leasesRef, nodes as nodesRef, pods as podsRef } from '#client/kube/resources.ts';
import { conditionOf, withCondition } from '#cluster/machinery/conditions.ts';
import { runController } from '#cluster/machinery/controller.ts';
import { createInformer } from '#cluster/machinery/informer.ts';
import { WorkQueue } from '#cluster/machinery/queue.ts';
import type { Controller, ControllerContext } from '#cluster/machinery/types.ts';
import { keyFor } from '#cluster/machinery/types.ts';
import { planText } from '../planned.ts';
import type { NodeOperation, Sight } from './plan.ts';
import { planNode } from './plan.ts';
import { Pulses, TaintAges } from './pulses.ts';

const name = 'nodelifecycle';
const component = 'node-controller';
/** Nodes worked on at a time. */
const workers = 4;
/** Where nodes keep their leases. */
const leaseNamespace = 'kube-node-lease';
/** Index over pods: the node that they are bound to. */
const byNode = 'node';

export interface NodeLifecycleContext extends ControllerContext {
  /** Who has the nodes' network, where that is told. */
  sights?: NodeSights;
  /** Milliseconds of silence after which a node is unreachable; default 40 s. */
  nodeGraceMs?: number;
}

export interface NodeSights {
  of(node: string): Sight | undefined;
  /** Calls the handler with the name of each node of which something else is seen. */
  onChange(handler: (node: string) => void): void;
}

type NodeLifecycleFactory = (context: NodeLifecycleContext) => Controller;

/** Notices nodes that fell silent, taints those that cannot be used, and evicts pods that do not tolerate it. */
export const nodeLifecycleController: NodeLifecycleFactory = (context) => {
  const { client, clock, log, signal, informers, sights, nodeGraceMs } = context;
  const queue = new WorkQueue({ clock });
  const pulses = new Pulses(clock);
  const ages = new TaintAges(clock);
  const nodes = informers.of<Node>(nodesRef);
  const pods = informers.of<Pod>(podsRef);
  const leases = createInformer<Lease>({ client, clock, log, signal, ref: leasesRef, namespace: leaseNamespace });
  pods.addIndex(byNode, ({ spec }) => (spec.nodeName ? [spec.nodeName] : []));
  nodes.onChange(({ type, object }) => {
    if (type === 'DELETED') for (const seen of [pulses, ages]) seen.forget(object.metadata.name ?? '');
    queue.add(object.metadata.name ?? '');
  });
  leases.onChange(({ object }) => {
    const node = nodes.get(object.metadata.name ?? '');
    if (node) pulses.silentMs(node, object);
  });
  sights?.onChange((node) => queue.add(node));
  // A pod may come to a node that it does not tolerate.
  pods.onChange(({ type, object, old }) => {
    const { nodeName } = object.spec;
    if (nodeName && type !== 'DELETED' && old?.spec.nodeName !== nodeName) queue.add(nodeName);
  });
  const reconcile = async (key: string): Promise<number | undefined> => {
    const node = nodes.get(key);
    if (!node) return undefined;
    const silentMs = pulses.silentMs(node, leases.get(keyFor(leaseNamespace, key)));
    const { operations, againMs } = planNode({ node, silentMs, sight: sights?.of(key), pods: pods.byIndex(byNode, key), taintMs: ages.of(node) }, clock.now(), nodeGraceMs);
    if (operations.length > 0) log.info(planText(operations), { controller: name });
    for (const operation of operations) await execute(context, node, operation);
    return againMs;
  };
  const synced = [nodes.synced, pods.synced, leases.synced];
  return { name, run: () => runController({ name, queue, workers, synced, reconcile, signal, log, clock }) };
};

async function execute({ client, clock, events, signal }: ControllerContext, node: Node, operation: NodeOperation): Promise<void> {
  const { name: nodeName = '', resourceVersion } = node.metadata;
  if (operation.do === 'set-conditions') {
    // The version makes it fail where the node has spoken meanwhile.
    const body = { metadata: { resourceVersion }, status: { conditions: operation.conditions } };
    await client.patch(nodesRef, nodeName, { type: 'merge', body }, { subresource: 'status', signal });
    const became = conditionOf(operation.conditions, 'Ready')?.status !== conditionOf(node.status?.conditions, 'Ready')?.status;
    if (became) events.record(component, node, 'Normal', 'NodeNotReady', `Node ${nodeName} status is now: NodeNotReady`);
  } else if (operation.do === 'set-taints') {
    const taints = operation.taints.length > 0 ? operation.taints : null;
    await client.patch(nodesRef, nodeName, { type: 'merge', body: { spec: { taints } } }, { signal });
  } else await executeOnPod({ client, clock, events, signal }, operation);
}

async function executeOnPod({ client, clock, events, signal }: Pick<ControllerContext, 'client' | 'clock' | 'events' | 'signal'>, { do: what, pod }: { do: 'mark-not-ready' | 'evict'; pod: Pod }): Promise<void> {
  const { name: podName = '', namespace, uid, resourceVersion } = pod.metadata;
  try {
    if (what === 'evict') {
      events.record('taint-eviction-controller', pod, 'Normal', 'TaintManagerEviction', `Marking for deletion Pod ${namespace}/${podName}`);
      await client.delete(podsRef, podName, { namespace, preconditions: { uid }, signal });
      return;
    }
    const ready: PodCondition = { ...conditionOf(pod.status?.conditions, 'Ready'), type: 'Ready', status: 'False', reason: 'NodeNotReady' };
    const conditions = withCondition(pod.status?.conditions, ready, isoSeconds(clock.now()));
    await client.patch(podsRef, podName, { type: 'merge', body: { metadata: { resourceVersion }, status: { conditions } } }, { namespace, subresource: 'status', signal });
  } catch (error) {
    if (!isFault(error, 'not-found')) throw error;
  }
}
