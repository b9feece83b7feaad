import type { OwnerReference } from '#api/kube/types.ts';
import type { Planned } from '../planned.ts';
import type { Item } from './graph.ts';
import { nameOf, ownersOf, uidOf } from './graph.ts';

export const foreground = 'foregroundDeletion';
export const orphan = 'orphan';

export type Policy = 'Orphan' | 'Background' | 'Foreground';

/** What is known of an owner that an object names: `waiting` is being deleted once what it owns is gone. */
export interface Owner {
  reference: OwnerReference;
  state: 'solid' | 'absent' | 'waiting';
}

export type Operation = Planned &
  (
    | { do: 'delete'; item: Item; policy: Policy }
    /** Writes the references that are left. */
    | { do: 'own'; item: Item; references: readonly OwnerReference[] }
    | { do: 'finish'; item: Item; finalizer: string }
  );

export function isWaiting({ object: { metadata } }: Item): boolean {
  return metadata.deletionTimestamp !== undefined && (metadata.finalizers ?? []).includes(foreground);
}

export function isOrphaning({ object: { metadata } }: Item): boolean {
  return metadata.deletionTimestamp !== undefined && (metadata.finalizers ?? []).includes(orphan);
}

/** The next step for an object, by those who own it and those it owns. */
export function planItem(item: Item, owners: readonly Owner[], dependents: readonly Item[]): Operation[] {
  if (isOrphaning(item)) return planOrphaning(item, dependents);
  if (isWaiting(item)) return planWaiting(item, dependents);
  if (item.object.metadata.deletionTimestamp !== undefined || owners.length === 0) return [];
  const lost = owners.filter(({ state }) => state !== 'solid');
  if (lost.length === 0) return [];
  const why = lost.map(({ reference, state }) => `owner ${reference.kind} ${reference.name} is ${state === 'absent' ? 'gone' : 'being deleted'}`).join(', ');
  if (lost.length < owners.length) {
    const gone = new Set(lost.map(({ reference }) => reference.uid));
    const references = ownersOf(item).filter(({ uid }) => !gone.has(uid));
    return [{ do: 'own', what: `release ${nameOf(item)}`, cause: why, item, references }];
  }
  return planCollection(item, owners, dependents, why);
}

/** Nobody owns it any more. */
function planCollection(item: Item, owners: readonly Owner[], dependents: readonly Item[], why: string): Operation[] {
  const remove = (policy: Policy): Operation => ({ do: 'delete', what: `delete ${nameOf(item)} (${policy})`, cause: why, item, policy });
  if (owners.some(({ state }) => state === 'waiting') && dependents.length > 0) {
    // In a circle each would wait for the next one for ever.
    const circle = dependents.some(isWaiting) && ownersOf(item).some(({ blockOwnerDeletion }) => blockOwnerDeletion);
    const references = ownersOf(item).map((reference) => ({ ...reference, blockOwnerDeletion: false }));
    const unblock: Operation = { do: 'own', what: `unblock the owners of ${nameOf(item)}`, cause: 'they wait for each other', item, references };
    return circle ? [unblock] : [remove('Foreground')];
  }
  const finalizers = item.object.metadata.finalizers ?? [];
  if (finalizers.includes(orphan)) return [remove('Orphan')];
  return [remove(finalizers.includes(foreground) ? 'Foreground' : 'Background')];
}

function planOrphaning(item: Item, dependents: readonly Item[]): Operation[] {
  const uid = uidOf(item);
  const releases = dependents.map((dependent): Operation => {
    const references = ownersOf(dependent).filter((reference) => reference.uid !== uid);
    return { do: 'own', what: `release ${nameOf(dependent)}`, cause: `${nameOf(item)} is deleted without it`, item: dependent, references };
  });
  // Its end would make them garbage: they must be free first.
  if (releases.length > 0) return releases;
  return [{ do: 'finish', what: `finish ${nameOf(item)}`, cause: 'nothing names it as owner', item, finalizer: orphan }];
}

function planWaiting(item: Item, dependents: readonly Item[]): Operation[] {
  const uid = uidOf(item);
  // What names itself as owner would wait for itself.
  const blocking = dependents.filter((dependent) => uidOf(dependent) !== uid && ownersOf(dependent).some((reference) => reference.uid === uid && reference.blockOwnerDeletion === true));
  if (blocking.length > 0) return [];
  return [{ do: 'finish', what: `finish ${nameOf(item)}`, cause: 'what blocked its deletion is gone', item, finalizer: foreground }];
}
