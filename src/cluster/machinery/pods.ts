import { millisOfTime } from '#api/kube/time.ts';
import type { Pod } from '#api/kube/types.ts';
import { conditionOf, isTrue } from './conditions.ts';

/** Ended, whatever becomes of it. */
export function isFinishedPod(pod: Pod): boolean {
  return pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
}

/** Runs, or will, and is not being deleted. */
export function isActivePod(pod: Pod): boolean {
  return !isFinishedPod(pod) && pod.metadata.deletionTimestamp === undefined;
}

export function isReadyPod(pod: Pod): boolean {
  return isTrue(pod.status?.conditions, 'Ready');
}

/** When the pod became ready, in milliseconds; undefined if it is not. */
export function readySince(pod: Pod): number | undefined {
  const ready = conditionOf(pod.status?.conditions, 'Ready');
  if (ready?.status !== 'True') return undefined;
  return ready.lastTransitionTime === undefined ? 0 : millisOfTime(ready.lastTransitionTime);
}

/** The most by which clocks of machines differ, in milliseconds: what seems to happen later than that was before the clock was set back. */
const clocksDifferMs = 60_000;

/** Milliseconds until the pod has been ready for `minReadySeconds`: 0 if it has; undefined if it is not ready. */
export function availableIn(pod: Pod, minReadySeconds: number, now: number): number | undefined {
  const since = readySince(pod);
  if (since !== undefined && since > now + clocksDifferMs) return 0;
  return since === undefined ? undefined : Math.max(0, minReadySeconds === 0 ? 0 : since + minReadySeconds * 1000 - now);
}
