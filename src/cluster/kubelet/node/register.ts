/** The Node object and its lease: registering, reporting, renewing. */
import type { Lease, Node, NodeCondition, NodeStatus } from '#api/kube/types.ts';
import { isoSeconds, isoTime } from '#lib/clock.ts';
import { isFault } from '#lib/errors.ts';
import { leases, nodes } from '#client/kube/resources.ts';
import type { KubeletOptions, NodeContext } from '../types.ts';
import { lacksDisk } from './disk.ts';
import type { NodeFacts } from './facts.ts';

export const leaseNamespace = 'kube-node-lease';
/** How long a lease holds, in seconds; it is renewed four times in that time. */
const leaseSeconds = 40;

export const reservedDiskRatio = 0.1;

export function nodeObject(node: NodeContext, facts: NodeFacts): Node {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name: node.nodeName,
      labels: {
        'kubernetes.io/hostname': node.nodeName,
        'kubernetes.io/os': 'linux',
        'kubernetes.io/arch': facts.info.architecture,
        'beta.kubernetes.io/os': 'linux',
        'beta.kubernetes.io/arch': facts.info.architecture,
        ...node.labels,
      },
      annotations: { 'volumes.kubernetes.io/controller-managed-attach-detach': 'true' },
    },
    spec: node.podCidr === undefined ? {} : { podCIDR: node.podCidr, podCIDRs: [node.podCidr] },
  };
}

interface Quantities {
  [resource: string]: string;
}

function capacityOf({ maxPods = 110 }: Pick<KubeletOptions, 'maxPods'>, { cpus, memoryBytes, diskBytes }: NodeFacts): Quantities {
  return {
    cpu: String(cpus),
    memory: `${Math.floor(memoryBytes / 1024)}Ki`,
    pods: String(maxPods),
    'ephemeral-storage': `${Math.floor(diskBytes / 1024)}Ki`,
    'hugepages-1Gi': '0',
    'hugepages-2Mi': '0',
  };
}

/** What the node offers to pods. */
export function allocatableOf(node: Pick<KubeletOptions, 'maxPods'>, facts: NodeFacts): Quantities {
  return { ...capacityOf(node, facts), 'ephemeral-storage': String(Math.floor(facts.diskBytes * (1 - reservedDiskRatio))) };
}

/** What differs from time to time is the heartbeat only; a condition keeps its time of change. */
export function nodeStatus(node: NodeContext, facts: NodeFacts, port: number, before: NodeStatus | undefined): NodeStatus {
  const now = isoSeconds(node.clock.now());
  const condition = (type: string, status: string, reason: string, message: string): NodeCondition => {
    const known = before?.conditions?.find((one) => one.type === type);
    return { type, status, reason, message, lastHeartbeatTime: now, lastTransitionTime: known?.status === status ? (known.lastTransitionTime ?? now) : now };
  };
  return {
    capacity: capacityOf(node, facts),
    allocatable: allocatableOf(node, facts),
    addresses: [
      { type: 'InternalIP', address: node.address },
      { type: 'Hostname', address: node.nodeName },
    ],
    daemonEndpoints: { kubeletEndpoint: { Port: port } },
    nodeInfo: facts.info,
    conditions: [
      condition('MemoryPressure', 'False', 'KubeletHasSufficientMemory', 'kubelet has sufficient memory available'),
      lacksDisk(node.core.kernel.files.space(node.root))
        ? condition('DiskPressure', 'True', 'KubeletHasDiskPressure', 'kubelet has disk pressure')
        : condition('DiskPressure', 'False', 'KubeletHasNoDiskPressure', 'kubelet has no disk pressure'),
      condition('PIDPressure', 'False', 'KubeletHasSufficientPID', 'kubelet has sufficient PID available'),
      condition('Ready', 'True', 'KubeletReady', 'kubelet is posting ready status'),
    ],
  };
}

/** Makes the Node, or brings an old one of this name up to date. */
export async function registerNode(node: NodeContext, facts: NodeFacts, port: number): Promise<void> {
  const wanted = nodeObject(node, facts);
  const { client } = node;
  let known: Node;
  try {
    known = await client.create<Node>(nodes, { ...wanted, status: nodeStatus(node, facts, port, undefined) });
    node.recorder.node('Normal', 'Starting', 'Starting kubelet.');
  } catch (error) {
    if (!isFault(error, 'already-exists')) throw error;
    known = await client.patch<Node>(nodes, node.nodeName, { type: 'strategic', body: { metadata: { labels: wanted.metadata.labels }, spec: wanted.spec } });
  }
  await reportNode(node, facts, port, known.status);
}

export async function reportNode(node: NodeContext, facts: NodeFacts, port: number, before?: NodeStatus): Promise<void> {
  const known = before ?? (await node.client.get<Node>(nodes, node.nodeName)).status;
  const status = nodeStatus(node, facts, port, known);
  await node.client.patch(nodes, node.nodeName, { type: 'strategic', body: { status } }, { subresource: 'status' });
}

/** Says that the node lives. Cheap, often. */
export async function renewLease(node: NodeContext, signal?: AbortSignal): Promise<void> {
  const { client, nodeName } = node;
  // Micro time: six digits.
  const renewTime = isoTime(node.clock.now()).replace('Z', '000Z');
  try {
    await client.patch(leases, nodeName, { type: 'merge', body: { spec: { renewTime, holderIdentity: nodeName } } }, { namespace: leaseNamespace, signal });
  } catch (error) {
    if (!isFault(error, 'not-found')) throw error;
    const lease: Lease = {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name: nodeName, namespace: leaseNamespace },
      spec: { holderIdentity: nodeName, leaseDurationSeconds: leaseSeconds, renewTime },
    };
    await client.create<Lease>(leases, lease, { namespace: leaseNamespace, signal });
  }
}
