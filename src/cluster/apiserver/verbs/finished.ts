import type { KubeObject } from '#api/kube/types.ts';

/** Whether nothing holds back the deletion that has begun: no finalizer, no grace period. */
export function isFinished(object: KubeObject): boolean {
  const { metadata } = object;
  if (metadata.deletionTimestamp === undefined || (metadata.finalizers ?? []).length > 0) return false;
  return (metadata.deletionGracePeriodSeconds ?? 0) === 0 && namespaceFinalizers(object).length === 0;
}

/** What a namespace's contents wait for. */
export function namespaceFinalizers(object: KubeObject): readonly string[] {
  if (object.kind !== 'Namespace' || object.apiVersion !== 'v1') return [];
  return (object['spec'] as { finalizers?: string[] } | undefined)?.finalizers ?? [];
}
