/**
 * Server-side apply. A manager says what it wants of an object; it owns those fields from then on. What it
 * said before and says no more goes, unless others own it too. A field that another manager owns, and has set
 * otherwise, is a conflict, unless it is forced.
 *
 * Owners are kept from an object's first apply on: until then an object has none, and what it had then belongs to
 * `before-first-apply`.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Message } from '#api/kube/schema.ts';
import type { KubeObject } from '#api/kube/types.ts';
import { statusFault } from '../status.ts';
import { copyOf } from '../storage/object.ts';
import { fieldsOf } from './fields.ts';
import type { Manager } from './managers.ts';
import { isSame, ownersAfterUpdate, readManagers, writeManagers } from './managers.ts';
import { merge, removePath } from './merge.ts';
import type { Path } from './paths.ts';
import { pathText, within } from './paths.ts';
import type { JsonObject } from './shape.ts';
import { shapeOfMessage } from './shape.ts';

export interface Applying {
  manager: string;
  apiVersion: string;
  subresource: string;
  /** Take over what others own. */
  force: boolean;
  /** RFC 3339. */
  now: string;
  message: Message;
}

const firstManager = 'before-first-apply';

/** The object that results, with its owners. Throws `conflict` (409) with a cause for each field in dispute. */
export function applied(live: KubeObject, wanted: KubeObject, applying: Applying): KubeObject {
  const shape = shapeOfMessage(applying.message);
  const me = { name: applying.manager, operation: 'Apply' as const, apiVersion: applying.apiVersion, subresource: applying.subresource };
  const present = fieldsOf(live, shape);
  const asked = fieldsOf(wanted, shape);
  const owners = knownOwners(live, present, applying);
  const mine = owners.find((owner) => isSame(owner, me));
  const others = owners.filter((owner) => !isSame(owner, me));
  const disputed = others.map((owner) => ({ owner, paths: conflicts(owner, present, asked) }));
  if (!applying.force) refuseConflicts(disputed);
  const remaining = disputed.map(({ owner, paths }) => ({ ...owner, owns: new Set([...owner.owns].filter((path) => !paths.includes(path))) }));
  const merged = merge(live, wanted, shape) as KubeObject;
  const result: KubeObject = { ...copyOf(merged), metadata: { ...copyOf(merged.metadata) } };
  const dropped = [...(mine?.owns ?? [])].filter((path) => !asked.has(path) && !remaining.some(({ owns }) => ownsWithin(owns, path)));
  for (const path of dropped) removePath(result as JsonObject, shape, path);
  const owns = new Set(asked.keys());
  const unchanged = mine !== undefined && isDeepStrictEqual(mine.owns, owns);
  const self = { ...me, owns, time: unchanged ? mine.time : applying.now };
  // In its place, so that to apply the same again changes nothing.
  const ordered = owners.map((owner) => (owner === mine ? self : (remaining.find((other) => isSame(other, owner)) ?? owner)));
  result.metadata.managedFields = writeManagers(mine ? ordered : [...ordered, self]);
  return result;
}

/** The owners of a new object: the manager alone. */
export function firstOwners(wanted: KubeObject, { manager, apiVersion, subresource, now, message }: Applying): KubeObject['metadata']['managedFields'] {
  const owns = new Set(fieldsOf(wanted, shapeOfMessage(message)).keys());
  return writeManagers([{ name: manager, operation: 'Apply', apiVersion, subresource, time: now, owns }]);
}

function knownOwners(live: KubeObject, present: ReadonlyMap<Path, unknown>, { apiVersion, now }: Applying): Manager[] {
  if ((live.metadata.managedFields ?? []).length > 0) return readManagers(live);
  return [{ name: firstManager, operation: 'Update', apiVersion, subresource: '', time: now, owns: new Set([...present.keys()].filter((path) => !within(path, 'f:status'))) }];
}

function ownsWithin(owns: ReadonlySet<Path>, path: Path): boolean {
  if (owns.has(path)) return true;
  for (const owned of owns) if (within(owned, path)) return true;
  return false;
}

function conflicts(owner: Manager, present: ReadonlyMap<Path, unknown>, asked: ReadonlyMap<Path, unknown>): Path[] {
  return [...asked.keys()].filter((path) => owner.owns.has(path) && present.has(path) && !isDeepStrictEqual(present.get(path), asked.get(path)));
}

function refuseConflicts(disputed: readonly { owner: Manager; paths: Path[] }[]): void {
  const real = disputed.filter(({ paths }) => paths.length > 0);
  const causes = real.flatMap(({ owner, paths }) =>
    paths.map((path) => ({ reason: 'FieldManagerConflict', message: `conflict with ${managerText(owner)}`, field: pathText(path) })));
  if (causes.length === 0) return;
  const texts = real.map(({ owner, paths }) => {
    if (paths.length === 1) return `conflict with ${managerText(owner)}: ${pathText(paths[0] ?? '')}`;
    return `conflicts with ${managerText(owner)}:\n${paths.map((path) => `- ${pathText(path)}`).join('\n')}`;
  });
  const count = `${causes.length} conflict${causes.length === 1 ? '' : 's'}`;
  throw statusFault('conflict', `Apply failed with ${count}: ${texts.join('\n')}`, { details: { causes } });
}

function managerText({ name, operation, subresource, apiVersion, time }: Manager): string {
  const through = subresource === '' ? '' : ` with subresource "${subresource}"`;
  const when = operation === 'Update' && time !== undefined ? ` at ${time}` : '';
  return `"${name}"${through} using ${apiVersion}${when}`;
}

/** The owners after an ordinary change of an object that has owners; undefined where it has none. */
export function ownersOfUpdate(old: KubeObject, changed: KubeObject, by: Omit<Applying, 'force'>): KubeObject['metadata']['managedFields'] {
  if ((old.metadata.managedFields ?? []).length === 0) return undefined;
  const shape = shapeOfMessage(by.message);
  const me = { name: by.manager, operation: 'Update' as const, apiVersion: by.apiVersion, subresource: by.subresource, time: by.now };
  return writeManagers(ownersAfterUpdate(readManagers(old), me, fieldsOf(old, shape), fieldsOf(changed, shape)));
}
