import type { Deployment, PodTemplateSpec, ReplicaSet } from '#api/kube/types.ts';
import { sameJson } from '#cluster/machinery/equal.ts';
import { hashLabel } from './types.ts';

/** Letters and digits that make no words. */
const alphabet = 'bcdfghjklmnpqrstvwxz2456789';

/** Names a template within its deployment; a collision that was met gives another name. */
export function templateHash(template: PodTemplateSpec, collisions: number): string {
  const number = fnv1a(`${canonicalJson(template)}#${collisions}`);
  return String(number).split('').map((digit) => alphabet[digit.charCodeAt(0) % alphabet.length]).join('');
}

function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash;
}

/** JSON with the keys in order, so that the same value is the same text. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) => {
    if (typeof inner !== 'object' || inner === null || Array.isArray(inner)) return inner;
    return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}

/** Whether the set was made from this template: the hash label apart, they are the same. */
export function hasTemplate(set: ReplicaSet, template: PodTemplateSpec): boolean {
  return sameJson(withoutHash(set.spec.template), withoutHash(template));
}

function withoutHash(template: PodTemplateSpec | undefined): unknown {
  const { [hashLabel]: _hash, ...labels } = template?.metadata?.labels ?? {};
  const { name: _name, creationTimestamp: _created, ...metadata } = template?.metadata ?? {};
  return { ...template, metadata: { ...metadata, labels } };
}

/** The set with the deployment's template: of several the oldest, so that all agree which. */
export function newSetOf(deployment: Deployment, sets: readonly ReplicaSet[]): ReplicaSet | undefined {
  return byAge(sets).find((set) => hasTemplate(set, deployment.spec.template));
}

/** Oldest first. */
export function byAge(sets: readonly ReplicaSet[]): ReplicaSet[] {
  const at = (set: ReplicaSet): string => `${set.metadata.creationTimestamp ?? ''}/${set.metadata.name ?? ''}`;
  return [...sets].sort((a, b) => (at(a) < at(b) ? -1 : 1));
}
