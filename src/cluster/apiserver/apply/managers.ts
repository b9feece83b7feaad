/** Who owns which fields: `metadata.managedFields`, read and written. */
import { isDeepStrictEqual } from 'node:util';
import type { KubeObject, ManagedFieldsEntry } from '#api/kube/types.ts';
import type { PathSet } from './paths.ts';
import { fromFields, toFields } from './paths.ts';
import type { fieldsOf } from './fields.ts';

export interface Manager {
  name: string;
  operation: 'Apply' | 'Update';
  apiVersion: string;
  /** Empty for the object itself. */
  subresource: string;
  time?: string;
  owns: PathSet;
}

export function readManagers(object: KubeObject): Manager[] {
  return (object.metadata.managedFields ?? []).map((entry) => ({
    name: entry.manager ?? '',
    operation: entry.operation === 'Apply' ? 'Apply' : 'Update',
    apiVersion: entry.apiVersion ?? '',
    subresource: entry.subresource ?? '',
    time: entry.time,
    owns: fromFields(entry.fieldsV1),
  }));
}

/** Those who own nothing any more are left out. */
export function writeManagers(managers: readonly Manager[]): ManagedFieldsEntry[] {
  return managers.filter(({ owns }) => owns.size > 0).map(({ name, operation, apiVersion, subresource, time, owns }) => ({
    manager: name,
    operation,
    apiVersion,
    ...(time !== undefined && { time }),
    fieldsType: 'FieldsV1',
    fieldsV1: toFields(owns),
    ...(subresource !== '' && { subresource }),
  }));
}

export function isSame(a: Pick<Manager, 'name' | 'operation' | 'subresource'>, b: Pick<Manager, 'name' | 'operation' | 'subresource'>): boolean {
  return a.name === b.name && a.operation === b.operation && a.subresource === b.subresource;
}

type Fields = ReturnType<typeof fieldsOf>;

/** Update managers that are kept apart; the fields of older ones go to one called `ancient-changes`. */
const mostUpdateManagers = 10;
const ancient = 'ancient-changes';

/**
 * The owners after an ordinary update by `by`: what it changed or added is its own and nobody else's, what it
 * took away is nobody's.
 */
export function ownersAfterUpdate(owners: readonly Manager[], by: Omit<Manager, 'owns'>, before: Fields, after: Fields): Manager[] {
  const changed = new Set([...after].filter(([path, value]) => !before.has(path) || !isDeepStrictEqual(before.get(path), value)).map(([path]) => path));
  const removed = new Set([...before.keys()].filter((path) => !after.has(path)));
  if (changed.size === 0 && removed.size === 0) return [...owners];
  const others = owners.filter((owner) => !isSame(owner, by));
  const mine = owners.find((owner) => isSame(owner, by));
  const rest = others.map((owner) => ({ ...owner, owns: new Set([...owner.owns].filter((path) => !changed.has(path) && !removed.has(path))) }));
  const owns = new Set([...(mine?.owns ?? []), ...changed].filter((path) => !removed.has(path)));
  return capped([...rest, { ...by, owns }]);
}

function capped(owners: Manager[]): Manager[] {
  const updates = owners.filter(({ operation }) => operation === 'Update').sort((a, b) => ((a.time ?? '') < (b.time ?? '') ? -1 : 1));
  if (updates.length <= mostUpdateManagers) return owners;
  const old = updates.slice(0, updates.length - mostUpdateManagers + 1);
  const [first] = old;
  const owns = new Set(old.flatMap((owner) => [...owner.owns]));
  return [...owners.filter((owner) => !old.includes(owner)), ...(first ? [{ ...first, name: ancient, owns }] : [])];
}
