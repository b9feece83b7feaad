import type { Pod, Taint, Toleration } from '#api/kube/types.ts';

/** Whether the toleration covers the taint. An empty key with `Exists` covers all; an empty effect covers each effect. */
export function tolerates(toleration: Toleration, taint: Taint): boolean {
  const { key = '', operator = 'Equal', value = '', effect = '' } = toleration;
  if (effect !== '' && effect !== taint.effect) return false;
  if (key !== '' && key !== taint.key) return false;
  if (operator === 'Exists') return true;
  return key !== '' && value === (taint.value ?? '');
}

export function untolerated(pod: Pod, taints: readonly Taint[] | undefined, effects: readonly string[]): Taint[] {
  const tolerations = pod.spec.tolerations ?? [];
  return (taints ?? []).filter((taint) => effects.includes(taint.effect) && !tolerations.some((toleration) => tolerates(toleration, taint)));
}
