import { scaledValue } from '#api/kube/int-or-string.ts';
import type { Deployment, ReplicaSet } from '#api/kube/types.ts';

export const wantedOf = (deployment: Deployment): number => deployment.spec.replicas ?? 1;
export const sizeOf = (set: ReplicaSet): number => set.spec.replicas ?? 1;
export const availableOf = (set: ReplicaSet): number => set.status?.availableReplicas ?? 0;
/** Of a set that was made smaller the status tells, for a while, of pods that are on their way out. */
const stayingOf = (set: ReplicaSet): number => Math.min(sizeOf(set), availableOf(set));
export const sum = (sets: readonly ReplicaSet[], of: (set: ReplicaSet) => number): number => sets.reduce((total, set) => total + of(set), 0);
export const isRolling = (deployment: Deployment): boolean => deployment.spec.strategy?.type !== 'Recreate';

/** How many pods above and below the wanted number a rollout may be at. */
export function leeway(deployment: Deployment): { surge: number; unavailable: number } {
  const wanted = wantedOf(deployment);
  if (!isRolling(deployment) || wanted === 0) return { surge: 0, unavailable: 0 };
  const { maxSurge = '25%', maxUnavailable = '25%' } = deployment.spec.strategy?.rollingUpdate ?? {};
  const surge = scaledValue(maxSurge, wanted, 'up');
  const unavailable = Math.min(wanted, scaledValue(maxUnavailable, wanted, 'down'));
  // Both zero, which rounding may give, would never move.
  return surge === 0 && unavailable === 0 ? { surge, unavailable: 1 } : { surge, unavailable };
}

/** The size of the new set in a rollout, where `others` is the size of all old sets together. */
export function newSetSize(deployment: Deployment, present: number, others: number): number {
  const wanted = wantedOf(deployment);
  if (!isRolling(deployment) || present > wanted) return wanted;
  const room = wanted + leeway(deployment).surge - present - others;
  return room <= 0 ? present : present + Math.min(room, wanted - present);
}

export interface SetSize {
  set: ReplicaSet;
  size: number;
}

/** The smaller sizes that the old sets may have now, those that change: unhealthy pods go first. */
export function shrunkOldSets(deployment: Deployment, newSet: ReplicaSet | undefined, old: readonly ReplicaSet[]): SetSize[] {
  const all = newSet ? [...old, newSet] : old;
  const least = wantedOf(deployment) - leeway(deployment).unavailable;
  const pending = newSet ? sizeOf(newSet) - availableOf(newSet) : 0;
  let spare = sum(all, sizeOf) - least - pending;
  const sizes = new Map(old.map((set) => [set, sizeOf(set)]));
  for (const set of old) {
    const unhealthy = Math.min(Math.max(0, spare), Math.max(0, sizeOf(set) - availableOf(set)));
    sizes.set(set, sizeOf(set) - unhealthy);
    spare -= unhealthy;
  }
  let surplus = spare <= 0 ? 0 : sum(all, stayingOf) - least;
  for (const set of old) {
    const size = sizes.get(set) ?? 0;
    const fewer = Math.min(Math.max(0, surplus), size);
    sizes.set(set, size - fewer);
    surplus -= fewer;
  }
  return old.map((set) => ({ set, size: sizes.get(set) ?? 0 })).filter(({ set, size }) => size !== sizeOf(set));
}

/**
 * Spreads a change of the wanted number over all sets of a rollout that is under way, each by its share.
 * @param maxBefore how many pods there might be when a set was last scaled
 */
export function proportionalSizes(deployment: Deployment, sets: readonly ReplicaSet[], maxBefore: (set: ReplicaSet) => number): SetSize[] {
  const wanted = wantedOf(deployment);
  const allowed = wanted === 0 ? 0 : wanted + leeway(deployment).surge;
  let left = allowed - sum(sets, sizeOf);
  const up = left > 0;
  const order = [...sets].sort((a, b) => sizeOf(b) - sizeOf(a) || (up ? -1 : 1) * ageOrder(a, b));
  const sizes = order.map((set) => {
    const share = Math.round((sizeOf(set) * allowed) / Math.max(1, maxBefore(set))) - sizeOf(set);
    const change = up ? Math.min(left, Math.max(0, share)) : Math.max(left, Math.min(0, share), -sizeOf(set));
    left -= change;
    return { set, size: sizeOf(set) + change };
  });
  // What rounding left over.
  const largest = sizes[0];
  if (largest) largest.size = Math.max(0, largest.size + left);
  return sizes;
}

function ageOrder(a: ReplicaSet, b: ReplicaSet): number {
  return (a.metadata.creationTimestamp ?? '') < (b.metadata.creationTimestamp ?? '') ? -1 : 1;
}
