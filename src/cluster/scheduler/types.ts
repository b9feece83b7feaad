/**
 * The scheduler gives each new pod a node.
 *
 * A pod *waits* while it names no node, has not ended and is not being deleted. Its *gates* hold it back until
 * they are taken away; its condition PodScheduled says so. For each node the *filters* are asked in order; the
 * first that refuses says why, and the node is out. The nodes that are left are *scored*, 0 to 100 by each score;
 * the best one (any of the best) is *bound*: `pods/binding` sets the pod's node. From then on the pod is *assumed*
 * to be there until the informer shows it, so that the next pod sees the room that is left.
 *
 * Where no node is left the pod is *unschedulable*: its condition PodScheduled says so, with the count of nodes for
 * each reason, and it is looked at again once a node changes or a pod gives room back. No pod is evicted to
 * make room (preemption).
 */
import type { Node, Pod } from '#api/kube/types.ts';
import type { Resources } from '#cluster/machinery/requests.ts';

/** A node, and the pods that are on it or assumed to be. */
export interface NodeRoom {
  node: Node;
  pods: readonly Pod[];
  allocatable: Resources;
  /** Sum of what the pods request, with `pods` as their number. */
  requested: Resources;
  /** The same, with something for each pod that requests no cpu or memory: what the node is likely to have in use. */
  used: Resources;
  /** Those that say of other pods where they may be. */
  withAffinity: readonly Pod[];
}

/** All that a decision goes by. */
export interface Cluster {
  rooms: readonly NodeRoom[];
  namespaceLabels(namespace: string): { readonly [key: string]: string } | undefined;
}

/**
 * Says of each node why it cannot have the pod, in the words that events show; nothing where it can. What is the
 * same for all nodes is found out once.
 */
export type Filter = (pod: Pod, cluster: Cluster) => (room: NodeRoom) => readonly string[];

export interface Score {
  weight: number;
  /** 0 (worst) to 100 of each node, in their order. */
  of(pod: Pod, cluster: Cluster): readonly number[];
}

export type Decision = { node: string } | { unschedulable: string };
