/** Pods that want to be near others, or far from them: in the same domain, or not. */
import { matchesLabels, selectorOfObject } from '#api/kube/labels.ts';
import type { Pod, PodAffinityTerm } from '#api/kube/types.ts';
import { DomainCounts, selectorFor } from './topology.ts';
import type { Cluster, NodeRoom } from './types.ts';

type Which = 'podAffinity' | 'podAntiAffinity';

const signed: readonly [Which, number][] = [['podAffinity', 1], ['podAntiAffinity', -1]];

function required({ spec }: Pod, which: Which): readonly PodAffinityTerm[] {
  return spec.affinity?.[which]?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
}

function preferred({ spec }: Pod, which: Which): readonly { weight: number; podAffinityTerm: PodAffinityTerm }[] {
  return spec.affinity?.[which]?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
}

/** Whether a term of `owner` speaks of `other`. */
function speaksOf(cluster: Cluster, owner: Pod, term: PodAffinityTerm, other: Pod): boolean {
  const namespace = other.metadata.namespace ?? '';
  const { namespaces = [], namespaceSelector } = term;
  const named = namespaces.length === 0 && namespaceSelector === undefined ? namespace === owner.metadata.namespace : namespaces.includes(namespace);
  const selected = (): boolean => {
    const selector = selectorOfObject(namespaceSelector);
    return selector !== undefined && matchesLabels(selector, cluster.namespaceLabels(namespace));
  };
  if (!named && !selected()) return false;
  const selector = selectorFor(owner, term.labelSelector, term.matchLabelKeys, term.mismatchLabelKeys);
  return selector !== undefined && matchesLabels(selector, other.metadata.labels);
}

/** Why a node cannot have the pod: what it must be near is not there, or what it must not be near is. */
export function affinityReasons(pod: Pod, cluster: Cluster): (room: NodeRoom) => readonly string[] {
  const near = required(pod, 'podAffinity');
  const far = required(pod, 'podAntiAffinity');
  const nearBy = new DomainCounts();
  const farFrom = far.map(() => new DomainCounts());
  const refusing: { key: string; counts: DomainCounts }[] = [];
  const asks = near.length + far.length > 0;
  for (const { node, pods, withAffinity } of cluster.rooms) {
    for (const other of asks ? pods : []) {
      const wanted = near.length > 0 && near.every((term) => speaksOf(cluster, pod, term, other));
      if (wanted) for (const { topologyKey } of near) nearBy.add(node, topologyKey, 1);
      for (const [i, term] of far.entries()) if (speaksOf(cluster, pod, term, other)) farFrom[i]?.add(node, term.topologyKey, 1);
    }
    for (const other of withAffinity) {
      for (const term of required(other, 'podAntiAffinity')) {
        if (!speaksOf(cluster, other, term, pod)) continue;
        const counts = new DomainCounts();
        counts.add(node, term.topologyKey, 1);
        refusing.push({ key: term.topologyKey, counts });
      }
    }
  }
  // The first of a group that wants to be together has nobody to go to.
  const isFirst = nearBy.size === 0 && near.every((term) => speaksOf(cluster, pod, term, pod));
  return ({ node }) => {
    const found = near.map(({ topologyKey }) => nearBy.at(node, topologyKey));
    if (found.some((count) => count === undefined || (count === 0 && !isFirst))) return ["node(s) didn't match pod affinity rules"];
    if (far.some(({ topologyKey }, i) => (farFrom[i]?.at(node, topologyKey) ?? 0) > 0)) return ["node(s) didn't match pod anti-affinity rules"];
    if (refusing.some(({ key, counts }) => (counts.at(node, key) ?? 0) > 0)) return ["node(s) didn't satisfy existing pods anti-affinity rules"];
    return [];
  };
}

/** How much the pod, and the pods that are there, would like it on each node: any number, more is better. */
export function affinityWeights(pod: Pod, cluster: Cluster): number[] {
  const byKey = new Map<string, DomainCounts>();
  const count = (room: NodeRoom, key: string, weight: number): void => {
    const counts = byKey.get(key) ?? new DomainCounts();
    byKey.set(key, counts);
    counts.add(room.node, key, weight);
  };
  const likes = signed.some(([which]) => preferred(pod, which).length > 0);
  for (const room of cluster.rooms) {
    for (const [which, sign] of signed) {
      for (const other of likes ? room.pods : []) {
        for (const { weight, podAffinityTerm: term } of preferred(pod, which)) if (speaksOf(cluster, pod, term, other)) count(room, term.topologyKey, sign * weight);
      }
      for (const other of room.withAffinity) {
        for (const { weight, podAffinityTerm: term } of preferred(other, which)) if (speaksOf(cluster, other, term, pod)) count(room, term.topologyKey, sign * weight);
      }
    }
  }
  return cluster.rooms.map(({ node }) => [...byKey].reduce((sum, [key, counts]) => sum + (counts.at(node, key) ?? 0), 0));
}
