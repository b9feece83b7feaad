/** An object with copies, as an `autoscaling/v1` Scale, and a Scale back into the object. */
import { formatLabelSelector, selectorOfMap, selectorOfObject } from '#api/kube/labels.ts';
import type { Labels } from '#api/kube/labels.ts';
import type { KubeObject, LabelSelector } from '#api/kube/types.ts';
import type { ScaleSubresource } from '#cluster/resources/types.ts';
import { invalidObject } from '../status.ts';
import { copyOf } from '../storage/object.ts';
import type { Change } from './update.ts';

export const scaleKind = { group: 'autoscaling', version: 'v1', kind: 'Scale' };

export function toScale(object: KubeObject, scale: ScaleSubresource): KubeObject {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const selector = selectorText(read(object, scale.selector));
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
    spec: { replicas: numberAt(object, scale.specReplicas) },
    status: { replicas: numberAt(object, scale.statusReplicas), ...(selector !== '' && { selector }) },
  };
}

/** `object` with the replicas that `wanted` asks for, as of the resourceVersion that it names. */
export function withScale(object: KubeObject, wanted: KubeObject, scale: ScaleSubresource): KubeObject {
  const replicas = (wanted['spec'] as { replicas?: number } | undefined)?.replicas ?? 0;
  if (replicas < 0) {
    const detail = 'must be greater than or equal to 0';
    throw invalidObject(scaleKind, wanted.metadata.name ?? '', [{ type: 'Invalid', path: 'spec.replicas', value: replicas, detail }]);
  }
  const changed = copyOf(object);
  write(changed, scale.specReplicas, replicas);
  const { uid, resourceVersion } = wanted.metadata;
  if (uid !== undefined) changed.metadata.uid = uid;
  if (resourceVersion === undefined || resourceVersion === '') delete changed.metadata.resourceVersion;
  else changed.metadata.resourceVersion = resourceVersion;
  return changed;
}

/** A change to the Scale as a change to the object. */
export function scaleChange(scale: ScaleSubresource, change: Change): Change {
  return async (old) => withScale(old, await change(toScale(old, scale)), scale);
}

function read(object: unknown, path: string): unknown {
  return path.split('.').reduce((at, key) => (at as Record<string, unknown> | undefined)?.[key], object);
}

function write(object: KubeObject, path: string, value: unknown): void {
  const keys = path.split('.');
  const last = keys.pop() ?? '';
  let at: Record<string, unknown> = object;
  for (const key of keys) at = (at[key] ??= {}) as Record<string, unknown>;
  at[last] = value;
}

function numberAt(object: KubeObject, path: string): number {
  const value = read(object, path);
  return typeof value === 'number' ? value : 0;
}

/** A LabelSelector object, or a plain map of labels, as text. */
function selectorText(selector: unknown): string {
  if (typeof selector !== 'object' || selector === null) return '';
  const structured = 'matchLabels' in selector || 'matchExpressions' in selector;
  return formatLabelSelector(structured ? (selectorOfObject(selector as LabelSelector) ?? []) : selectorOfMap(selector as Labels));
}
