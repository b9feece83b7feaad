import type { Namespace, Node, Pod } from '#api/kube/types.ts';
import { namespaces as namespacesRef, nodes as nodesRef, pods as podsRef } from '#client/kube/resources.ts';
import { isFinishedPod } from '#cluster/machinery/pods.ts';
import type { Informer, Informers } from '#cluster/machinery/types.ts';
import { keyOf } from '#cluster/machinery/types.ts';
import { roomOf } from './room.ts';
import type { Cluster, NodeRoom } from './types.ts';

const byNode = 'spec.nodeName';

/** Nodes and what is on them, with the pods that were bound and do not show it yet. */
export class ClusterRooms {
  readonly pods: Informer<Pod>;
  readonly nodes: Informer<Node>;
  readonly namespaces: Informer<Namespace>;
  /** By the pod's key. */
  readonly #assumed = new Map<string, Pod>();
  /** By the node's name, until something there changes. */
  readonly #rooms = new Map<string, NodeRoom>();

  constructor(informers: Informers) {
    this.pods = informers.of<Pod>(podsRef);
    this.nodes = informers.of<Node>(nodesRef);
    this.namespaces = informers.of<Namespace>(namespacesRef);
    this.pods.addIndex(byNode, ({ spec }) => (spec.nodeName ? [spec.nodeName] : []));
    this.pods.onChange(({ type, object, old }) => {
      for (const pod of old ? [object, old] : [object]) this.#rooms.delete(pod.spec.nodeName ?? '');
      if (type === 'DELETED' || (object.spec.nodeName ?? '') !== '') this.forget(object);
    });
    this.nodes.onChange(({ object }) => this.#rooms.delete(object.metadata.name ?? ''));
  }

  assume(pod: Pod, nodeName: string): void {
    this.#assumed.set(keyOf(pod), Object.freeze({ ...pod, spec: { ...pod.spec, nodeName } }));
    this.#rooms.delete(nodeName);
  }

  /** The pod shows its node, or did not get there. */
  forget(pod: Pod): void {
    const assumed = this.#assumed.get(keyOf(pod));
    if (!assumed) return;
    this.#assumed.delete(keyOf(pod));
    this.#rooms.delete(assumed.spec.nodeName ?? '');
  }

  isAssumed(key: string): boolean {
    return this.#assumed.has(key);
  }

  cluster(): Cluster {
    const rooms = this.nodes.list().map((node) => this.#room(node));
    return { rooms, namespaceLabels: (namespace) => this.namespaces.get(namespace)?.metadata.labels };
  }

  #room(node: Node): NodeRoom {
    const name = node.metadata.name ?? '';
    const known = this.#rooms.get(name);
    if (known) return known;
    const there = this.pods.byIndex(byNode, name).filter((pod) => !isFinishedPod(pod));
    const assumed = [...this.#assumed.values()].filter(({ spec }) => spec.nodeName === name);
    const room = roomOf(node, [...there, ...assumed]);
    this.#rooms.set(name, room);
    return room;
  }
}
