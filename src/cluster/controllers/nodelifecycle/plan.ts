import type { Node, NodeCondition, Pod, Taint } from '#api/kube/types.ts';
import { isoSeconds } from '#lib/clock.ts';
import { conditionOf, isTrue, withCondition } from '#cluster/machinery/conditions.ts';
import { sameJson } from '#cluster/machinery/equal.ts';
import { isReadyPod } from '#cluster/machinery/pods.ts';
import { tolerates } from '#cluster/machinery/taints.ts';
import type { Planned } from '../planned.ts';

/** A node that has not been heard of for this long is unreachable, in milliseconds; unless another time is given. */
export const nodeGraceMs = 40_000;
/** The same for a node that never reported. */
export const newNodeGraceMs = 60_000;

/** What a node said just before it fell silent may be heard this much later, in milliseconds. */
const lateMs = 1_000;

export interface ObservedNode {
  node: Node;
  /** Milliseconds since its lease or its status was last seen to change. */
  silentMs: number;
  sight?: Sight;
  pods: readonly Pod[];
  /** How long it has had one of its taints, in milliseconds. */
  taintMs: (taint: Taint) => number;
}

/**
 * What is seen of a node by whoever has its network, sooner than its silence tells: that its agent listens, that the
 * machine answers and no agent listens, or that nothing answers.
 */
export interface Sight {
  what: 'agent' | 'no-agent' | 'cut-off';
  /** Milliseconds since it is so. */
  forMs: number;
}

export type NodeOperation = Planned & (
  | { do: 'set-conditions'; conditions: NodeCondition[] }
  | { do: 'set-taints'; taints: Taint[] }
  | { do: 'mark-not-ready'; pod: Pod }
  | { do: 'evict'; pod: Pod }
);

export interface NodePlan {
  operations: NodeOperation[];
  /** When to look again, in milliseconds. */
  againMs?: number;
}

/** Conditions that only a reachable node can vouch for. */
const reportedConditions = ['Ready', 'MemoryPressure', 'DiskPressure', 'PIDPressure'];
const taintPrefix = 'node.kubernetes.io/';
const conditionTaints: Record<string, string> = {
  MemoryPressure: 'memory-pressure',
  DiskPressure: 'disk-pressure',
  PIDPressure: 'pid-pressure',
  NetworkUnavailable: 'network-unavailable',
};
const ownedTaints = new Set([...Object.values(conditionTaints), 'not-ready', 'unreachable', 'unschedulable'].map((name) => taintPrefix + name));

export function planNode({ node, silentMs, sight, pods, taintMs }: ObservedNode, now: number, grace = nodeGraceMs): NodePlan {
  const operations: NodeOperation[] = [];
  const waits: number[] = [];
  const name = node.metadata.name ?? '';
  const graceMs = conditionOf(node.status?.conditions, 'Ready') ? grace : newNodeGraceMs;
  // what was heard since counts more than what was seen before
  const unseen = sight !== undefined && sight.what !== 'agent' && silentMs + lateMs >= sight.forMs;
  const lost = unseen || silentMs >= graceMs;
  if (!lost) waits.push(graceMs - silentMs);
  const conditions = withNetwork(lost ? unknownConditions(node, now) : (node.status?.conditions ?? []), unseen ? sight : undefined, sight !== undefined, now);
  if (!sameJson(conditions, node.status?.conditions ?? [])) {
    const [what, cause] = lost ? [`mark node ${name} unknown`, unseen ? seen[sight.what] : `it was silent for ${Math.floor(silentMs / 1000)} s`] : [`mark node ${name} reachable`, 'it answers'];
    operations.push({ do: 'set-conditions', conditions, what, cause });
  }
  const taints = wantedTaints(node, now);
  if (!sameTaints(taints, node.spec?.taints ?? [])) {
    operations.push({ do: 'set-taints', taints, what: `taint node ${name}`, cause: taints.map(({ key, effect }) => `${key}:${effect}`).join(', ') || 'nothing is wrong with it' });
  }
  // what a node without an agent serves, it goes on serving; its pods leave their Services when they are replaced
  const serves = sight !== undefined && sight.what !== 'cut-off';
  if (conditionOf(node.status?.conditions, 'Ready')?.status === 'Unknown' && !serves) {
    for (const pod of pods.filter(isReadyPod)) operations.push({ do: 'mark-not-ready', pod, what: `mark pod ${nameOf(pod)} not ready`, cause: `node ${name} is unreachable` });
  }
  for (const pod of pods) {
    const eviction = evictionOf(pod, node.spec?.taints ?? [], taintMs);
    if (!eviction) continue;
    if (eviction.inMs > 0) waits.push(eviction.inMs);
    else operations.push({ do: 'evict', pod, what: `evict pod ${nameOf(pod)}`, cause: `it does not tolerate ${eviction.taint.key}${eviction.waited ? ' any longer' : ''}` });
  }
  return { operations, ...(waits.length > 0 && { againMs: Math.min(...waits) }) };
}

const seen: Readonly<Record<Sight['what'], string>> = { agent: '', 'no-agent': 'nothing listens where its agent did', 'cut-off': 'its address does not answer' };

/** Whether the node's network is there, where somebody can tell. */
function withNetwork(conditions: readonly NodeCondition[], unseen: Sight | undefined, known: boolean, now: number): NodeCondition[] {
  const before = conditionOf(conditions, 'NetworkUnavailable');
  const isCutOff = unseen?.what === 'cut-off';
  if (!known || isCutOff === (before?.status === 'True')) return [...conditions];
  const condition: NodeCondition = isCutOff
    ? { type: 'NetworkUnavailable', status: 'True', reason: 'NodeUnreachable', message: "The node's address does not answer." }
    : { type: 'NetworkUnavailable', status: 'False', reason: 'NodeReachable', message: "The node's address answers." };
  return withCondition<NodeCondition>([...conditions], { ...condition, lastHeartbeatTime: isoSeconds(now) }, isoSeconds(now));
}

function unknownConditions(node: Node, now: number): NodeCondition[] {
  const at = isoSeconds(now);
  const known = node.status?.conditions ?? [];
  return reportedConditions.reduce<NodeCondition[]>((conditions, type) => {
    const before = conditionOf(known, type);
    if (before?.status === 'Unknown') return conditions;
    const [reason, message] = before ? ['NodeStatusUnknown', 'Kubelet stopped posting node status.'] : ['NodeStatusNeverUpdated', 'Kubelet never posted node status.'];
    return withCondition<NodeCondition>(conditions, { type, status: 'Unknown', reason, message, lastHeartbeatTime: before?.lastHeartbeatTime ?? node.metadata.creationTimestamp }, at);
  }, [...known]);
}

/** The taints that the node's conditions call for, besides those that others put on it. */
function wantedTaints(node: Node, now: number): Taint[] {
  const present = node.spec?.taints ?? [];
  const taints = present.filter(({ key }) => !ownedTaints.has(key));
  const add = (name: string, effect: string): void => {
    const key = taintPrefix + name;
    const before = present.find((taint) => taint.key === key && taint.effect === effect);
    taints.push(before ?? { key, effect, timeAdded: isoSeconds(now) });
  };
  const ready = conditionOf(node.status?.conditions, 'Ready');
  if (ready === undefined) add('not-ready', 'NoSchedule');
  else if (ready.status !== 'True') {
    const name = ready.status === 'Unknown' ? 'unreachable' : 'not-ready';
    add(name, 'NoSchedule');
    add(name, 'NoExecute');
  }
  for (const [type, name] of Object.entries(conditionTaints)) if (isTrue(node.status?.conditions, type)) add(name, 'NoSchedule');
  if (node.spec?.unschedulable === true) add('unschedulable', 'NoSchedule');
  return taints;
}

function sameTaints(a: readonly Taint[], b: readonly Taint[]): boolean {
  const text = (taints: readonly Taint[]): string => taints.map(({ key, value = '', effect }) => `${key}=${value}:${effect}`).sort().join();
  return text(a) === text(b);
}

interface Eviction {
  taint: Taint;
  inMs: number;
  waited: boolean;
}

/** When the pod must leave for the taints; the soonest counts. */
function evictionOf(pod: Pod, taints: readonly Taint[], taintMs: ObservedNode['taintMs']): Eviction | undefined {
  if (pod.metadata.deletionTimestamp !== undefined) return undefined;
  let soonest: Eviction | undefined;
  for (const taint of taints.filter(({ effect }) => effect === 'NoExecute')) {
    const covering = (pod.spec.tolerations ?? []).filter((toleration) => tolerates(toleration, taint));
    const times = covering.flatMap(({ tolerationSeconds }) => (tolerationSeconds === undefined ? [] : [Math.max(0, tolerationSeconds)]));
    if (covering.length > 0 && times.length === 0) continue;
    const waited = covering.length > 0;
    const inMs = waited ? Math.max(0, Math.min(...times) * 1000 - taintMs(taint)) : 0;
    if (!soonest || inMs < soonest.inMs) soonest = { taint, inMs, waited };
  }
  return soonest;
}

function nameOf({ metadata }: Pod): string {
  return `${metadata.namespace}/${metadata.name}`;
}
