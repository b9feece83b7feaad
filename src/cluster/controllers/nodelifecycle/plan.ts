import { millisOfTime } from '#api/kube/time.ts';
import type { Node, NodeCondition, Pod, Taint } from '#api/kube/types.ts';
import { isoSeconds } from '#lib/clock.ts';
import { conditionOf, isTrue, withCondition } from '#cluster/machinery/conditions.ts';
import { sameJson } from '#cluster/machinery/equal.ts';
import { isReadyPod } from '#cluster/machinery/pods.ts';
import { tolerates } from '#cluster/machinery/taints.ts';
import type { Planned } from '../planned.ts';

/** A node that has not been heard of for this long is unreachable, in milliseconds. */
export const nodeGraceMs = 40_000;
/** The same for a node that never reported. */
export const newNodeGraceMs = 60_000;

export interface ObservedNode {
  node: Node;
  /** Milliseconds since its lease or its status was last seen to change. */
  silentMs: number;
  pods: readonly Pod[];
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

export function planNode({ node, silentMs, pods }: ObservedNode, now: number): NodePlan {
  const operations: NodeOperation[] = [];
  const waits: number[] = [];
  const name = node.metadata.name ?? '';
  const graceMs = conditionOf(node.status?.conditions, 'Ready') ? nodeGraceMs : newNodeGraceMs;
  if (silentMs < graceMs) waits.push(graceMs - silentMs);
  else {
    const conditions = unknownConditions(node, now);
    if (!sameJson(conditions, node.status?.conditions)) {
      operations.push({ do: 'set-conditions', conditions, what: `mark node ${name} unknown`, cause: `it was silent for ${Math.floor(silentMs / 1000)} s` });
    }
  }
  const taints = wantedTaints(node, now);
  if (!sameTaints(taints, node.spec?.taints ?? [])) {
    operations.push({ do: 'set-taints', taints, what: `taint node ${name}`, cause: taints.map(({ key, effect }) => `${key}:${effect}`).join(', ') || 'nothing is wrong with it' });
  }
  if (conditionOf(node.status?.conditions, 'Ready')?.status === 'Unknown') {
    for (const pod of pods.filter(isReadyPod)) operations.push({ do: 'mark-not-ready', pod, what: `mark pod ${nameOf(pod)} not ready`, cause: `node ${name} is unreachable` });
  }
  for (const pod of pods) {
    const eviction = evictionOf(pod, node.spec?.taints ?? [], now);
    if (!eviction) continue;
    if (eviction.inMs > 0) waits.push(eviction.inMs);
    else operations.push({ do: 'evict', pod, what: `evict pod ${nameOf(pod)}`, cause: `it does not tolerate ${eviction.taint.key}${eviction.waited ? ' any longer' : ''}` });
  }
  return { operations, ...(waits.length > 0 && { againMs: Math.min(...waits) }) };
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
function evictionOf(pod: Pod, taints: readonly Taint[], now: number): Eviction | undefined {
  if (pod.metadata.deletionTimestamp !== undefined) return undefined;
  let soonest: Eviction | undefined;
  for (const taint of taints.filter(({ effect }) => effect === 'NoExecute')) {
    const covering = (pod.spec.tolerations ?? []).filter((toleration) => tolerates(toleration, taint));
    const times = covering.flatMap(({ tolerationSeconds }) => (tolerationSeconds === undefined ? [] : [Math.max(0, tolerationSeconds)]));
    if (covering.length > 0 && times.length === 0) continue;
    const waited = covering.length > 0;
    const end = waited ? (taint.timeAdded === undefined ? now : millisOfTime(taint.timeAdded)) + Math.min(...times) * 1000 : now;
    const inMs = Math.max(0, end - now);
    if (!soonest || inMs < soonest.inMs) soonest = { taint, inMs, waited };
  }
  return soonest;
}

function nameOf({ metadata }: Pod): string {
  return `${metadata.namespace}/${metadata.name}`;
}
