import type { Namespace, NamespaceCondition } from '#api/kube/types.ts';
import { withCondition } from '#cluster/machinery/conditions.ts';
import type { ApiObject } from '#cluster/machinery/types.ts';
import type { Served } from '../discovery.ts';
import type { Planned } from '../planned.ts';

/** What the API server waits for before it lets a namespace go; this controller takes it away. */
export const finalizer = 'kubernetes';

/** What is left of one resource in the namespace. */
export interface Contents {
  served: Served;
  objects: readonly ApiObject[];
}

export type Operation = Planned & ({ do: 'delete'; served: Served; object: ApiObject } | { do: 'finalize' });

/**
 * The next step of a namespace's end: its pods, then all else, then itself. `contents` has only what is there.
 * What is being deleted already is waited for.
 */
export function planDeletion({ metadata, spec }: Namespace, contents: readonly Contents[]): Operation[] {
  if (metadata.deletionTimestamp === undefined || !(spec?.finalizers ?? []).includes(finalizer)) return [];
  // Pods may need what else is there until they have ended: their config, their rights.
  const pods = contents.filter(({ served: { ref } }) => ref.group === '' && ref.resource === 'pods');
  const first = pods.length > 0 ? pods : contents;
  if (first.length === 0) return [{ do: 'finalize', what: `finalize ${metadata.name}`, cause: 'it is empty' }];
  return first.flatMap(({ served, objects }) =>
    objects
      .filter((object) => object.metadata.deletionTimestamp === undefined)
      .map((object) => ({
        do: 'delete' as const, what: `delete ${served.ref.resource} ${object.metadata.name}`, cause: `namespace ${metadata.name} is being deleted`, served, object,
      })),
  );
}

/** What people see of why a namespace does not go. */
export function deletionConditions({ status }: Namespace, contents: readonly Contents[], now: string): NamespaceCondition[] {
  const named = ({ ref }: Served): string => (ref.group === '' ? `${ref.resource}.` : `${ref.resource}.${ref.group}`);
  const left = contents.map(({ served, objects }) => `${named(served)} has ${objects.length} resource instances`).join(', ');
  const counts = new Map<string, number>();
  for (const { metadata } of contents.flatMap(({ objects }) => objects)) {
    for (const name of metadata.finalizers ?? []) counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  const holding = [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, count]) => `${name} in ${count} resource instances`).join(', ');
  const wanted: NamespaceCondition[] = [
    { type: 'NamespaceDeletionDiscoveryFailure', status: 'False', reason: 'ResourcesDiscovered', message: 'All resources successfully discovered' },
    { type: 'NamespaceDeletionGroupVersionParsingFailure', status: 'False', reason: 'ParsedGroupVersions', message: 'All legacy kube types successfully parsed' },
    { type: 'NamespaceDeletionContentFailure', status: 'False', reason: 'ContentDeleted', message: 'All content successfully deleted, may be waiting on finalization' },
    contents.length > 0
      ? { type: 'NamespaceContentRemaining', status: 'True', reason: 'SomeResourcesRemain', message: `Some resources are remaining: ${left}` }
      : { type: 'NamespaceContentRemaining', status: 'False', reason: 'ContentRemoved', message: 'All content successfully removed' },
    holding !== ''
      ? { type: 'NamespaceFinalizersRemaining', status: 'True', reason: 'SomeFinalizersRemain', message: `Some content in the namespace has finalizers remaining: ${holding}` }
      : { type: 'NamespaceFinalizersRemaining', status: 'False', reason: 'ContentHasNoFinalizers', message: 'All content-preserving finalizers finished' },
  ];
  return wanted.reduce<NamespaceCondition[]>((conditions, condition) => withCondition(conditions, condition, now), status?.conditions ?? []);
}
