import type { Namespace, Node, Pod } from '#api/kube/types.ts';
import { namespaces as namespacesRef, nodes as nodesRef, pods as podsRef } from '#client/kube/resources.ts';
import { isFinishedPod } from '#cluster/machinery/pods.ts';
import type { Informer, Informers } from '#cluster/machinery/types.ts';
import { keyOf } from '#cluster/machinery/types.ts';
import { parse, sumRequests } from './requests.ts';
import type { Cluster } from './types.ts';

const byNode = 'spec.nodeName';

/** Nodes and what is on them, with the pods that were bound and do not show it yet. */
export class ClusterRooms {
  readonly pods: Informer<Pod>;
  readonly nodes: Informer<Node>;
  readonly namespaces: Informer<Namespace>;
  /** By the pod's key. */
  readonly #assumed = new Map<string, Pod>();

  constructor(informers: Informers) {
    this.pods = informers.of<Pod>(podsRef);
    this.nodes = informers.of<Node>(nodesRef);
    this.namespaces = informers.of<Namespace>(namespacesRef);
    this.pods.addIndex(byNode, ({ spec }) => (spec.nodeName ? [spec.nodeName] : []));
    this.pods.onChange(({ type, object }) => {
      if (type === 'DELETED' || (object.spec.nodeName ?? '') !== '') this.forget(object);
    });
  }

  assume(pod: Pod, nodeName: string): void {
    this.#assumed.set(keyOf(pod), Object.freeze({ ...pod, spec: { ...pod.spec, nodeName } }));
  }

  /** The pod shows its node, or did not get there. */
  forget(pod: Pod): void {
    this.#assumed.delete(keyOf(pod));
  }

  isAssumed(key: string): boolean {
    return this.#assumed.has(key);
  }

  cluster(): Cluster {
    const assumed = Map.groupBy(this.#assumed.values(), ({ spec }) => spec.nodeName);
    const rooms = this.nodes.list().map((node) => {
      const name = node.metadata.name ?? '';
      const there = this.pods.byIndex(byNode, name).filter((pod) => !isFinishedPod(pod));
      const pods = [...there, ...(assumed.get(name) ?? [])];
      return { node, pods, allocatable: parse(node.status?.allocatable), requested: sumRequests(pods) };
    });
    return { rooms, namespaceLabels: (namespace) => this.namespaces.get(namespace)?.metadata.labels };
  }
}
