import { isDeepStrictEqual } from 'node:util';
import { message } from '#api/kube/schema.ts';
import type { KubeObject } from '#api/kube/types.ts';
import { apiVersionOf } from '#api/kube/types.ts';
import type { ObjectSubresource } from '#cluster/resources/types.ts';
import { isoSeconds } from '#lib/clock.ts';
import { ownersOfUpdate } from '../apply/apply.ts';
import type { Core } from '../core.ts';
import { conflict, invalidObject, methodNotAllowed, notFound } from '../status.ts';
import type { CachedObject } from '../storage/object.ts';
import type { Context, Target } from '../types.ts';
import { admit, refuseInvalid } from './admit.ts';
import { commit } from './commit.ts';
import { create } from './create.ts';
import { carryOver, matchTarget } from './metadata.ts';
import { isFinished } from './finished.ts';
import { copyOf } from '../storage/object.ts';

/** How often an update that gives no resourceVersion is tried against a newer state. */
const updateAttempts = 32;

/** What the object becomes. It may use `old` (frozen), and gives an object away. */
export type Change = (old: KubeObject) => Promise<KubeObject> | KubeObject;

/** `retry`: the change is good for whatever state it meets, even if what it makes names a resourceVersion. */
export interface UpdateOptions {
  retry: boolean;
  /** What the change makes names the object's owners, too. */
  applies?: boolean;
}

/**
 * Changes an object, or its part behind an `object` subresource.
 * Throws `not-found`; `conflict` where the new state is of an older resourceVersion; what admission and
 * validation refuse.
 */
export async function update(core: Core, target: Target, change: Change, context: Context, options: UpdateOptions = { retry: false }): Promise<CachedObject> {
  const objects = core.objects.of(target.resource);
  for (let attempt = 1; ; attempt++) {
    const old = objects.get(target.namespace, target.name);
    if (!old) throw notFound(target.resource, target.name);
    const updated = await tryUpdate(core, target, old, await change(old.object), context, options.applies ?? false);
    if (typeof updated === 'object') return updated;
    if (attempt >= updateAttempts || (updated === 'exact' && !options.retry)) throw conflict(target.resource, target.name);
  }
}

/** PUT: the object becomes `object`; where it does not exist it is created, if its resource allows that. */
export async function replace(core: Core, target: Target, object: KubeObject, context: Context): Promise<{ object: CachedObject; created: boolean }> {
  const { resource, namespace, name } = target;
  if (resource.allowCreateOnUpdate && !target.subresource && !core.objects.of(resource).get(namespace, name)) {
    return { object: await create(core, target, object, context), created: true };
  }
  matchTarget(object, namespace, name);
  return { object: await update(core, target, () => copyOf(object), context), created: false };
}

/** Where somebody else wrote first: whether the new state was for exactly this resourceVersion, or for any. */
type Missed = 'exact' | 'any';

async function tryUpdate(core: Core, target: Target, old: CachedObject, object: KubeObject, context: Context, applies: boolean): Promise<CachedObject | Missed> {
  const { resource, namespace, name } = target;
  const objects = core.objects.of(resource);
  matchTarget(object, namespace, name);
  checkRevision(target, object, old);
  const missed: Missed = (object.metadata.resourceVersion ?? '') === '' ? 'any' : 'exact';
  object.metadata.resourceVersion = String(old.revision);
  const { managedFields } = object.metadata;
  carryOver(resource, object, old.object);
  resource.defaults(object);
  const rules = rulesOf(target);
  rules.prepareForUpdate(object, old.object);
  const also = { compare: [], then: [] };
  const subresource = target.subresource?.name ?? '';
  await admit(core, { operation: 'UPDATE', context, resource, subresource, namespace, name, object, old: old.object, also });
  refuseInvalid(target, object, rules.validateUpdate(object, old.object));
  if (subresource === '') context.warnings.push(...resource.warnings(object));
  setOwners(object, applies ? managedFields : ownersOf(core, target, old.object, object, context));
  const key = objects.key(namespace, name);
  if (isFinished(object)) {
    const released = { compare: [], then: [] };
    await admit(core, { operation: 'DELETE', context, resource, subresource: '', namespace, name, old: old.object, also: released });
    const gone = await commit(core, objects, { key, from: old.revision, last: old, also: released }, context);
    return gone ?? missed;
  }
  if (isDeepStrictEqual(object, old.object)) return old;
  const written = await commit(core, objects, { key, from: old.revision, object: objects.toStored(object), also }, context);
  return written ? objects.show(written) : missed;
}

type Owners = KubeObject['metadata']['managedFields'];

function setOwners(object: KubeObject, owners: Owners): void {
  if (owners && owners.length > 0) object.metadata.managedFields = owners;
  else delete object.metadata.managedFields;
}

function ownersOf(core: Core, { resource, subresource }: Target, old: KubeObject, object: KubeObject, context: Context): Owners {
  const by = { manager: context.fieldManager, apiVersion: apiVersionOf(resource), subresource: subresource?.name ?? '', now: isoSeconds(core.clock.now()) };
  return ownersOfUpdate(old, object, { ...by, message: message(resource.message) });
}

type Rules = Pick<ObjectSubresource, 'prepareForUpdate' | 'validateUpdate'>;

function rulesOf({ resource, subresource }: Target): Rules {
  if (!subresource || subresource.type === 'scale') return resource;
  if (subresource.type !== 'object') throw methodNotAllowed();
  return subresource;
}

function checkRevision({ resource, name }: Target, object: KubeObject, old: CachedObject): void {
  const { resourceVersion } = object.metadata;
  if (resourceVersion === undefined || resourceVersion === '') {
    if (resource.allowUnconditionalUpdate) return;
    const detail = 'must be specified for an update';
    throw invalidObject(resource, name, [{ type: 'Invalid', path: 'metadata.resourceVersion', value: 0, detail }]);
  }
  if (resourceVersion !== String(old.revision)) throw conflict(resource, name);
}
