import { generatedName } from '#api/kube/names.ts';
import type { KubeObject } from '#api/kube/types.ts';
import type { Core } from '../core.ts';
import { alreadyExists, conflict, statusFault } from '../status.ts';
import type { CachedObject } from '../storage/object.ts';
import type { Context, Target } from '../types.ts';
import { admit, refuseInvalid } from './admit.ts';
import { commit } from './commit.ts';
import { checkPathName, matchTarget, stampNew } from './metadata.ts';
import { copyOf } from '../storage/object.ts';

/** How often a generated name, or an address, that turns out to be taken is chosen anew. */
const createAttempts = 8;

export interface CreateOptions {
  /** The object's owners from the first, where it is applied. */
  managedFields?: KubeObject['metadata']['managedFields'];
}

/**
 * Stores a new object. `object` is the caller's to give away.
 * Throws `already-exists`; what admission refuses; `invalid` (422) for what validation finds.
 */
export async function create(core: Core, target: Target, object: KubeObject, context: Context, options: CreateOptions = {}): Promise<CachedObject> {
  const { resource, namespace } = target;
  matchTarget(object, namespace, target.name);
  stampNew(core, object);
  if (options.managedFields) object.metadata.managedFields = options.managedFields;
  resource.defaults(object);
  resource.prepareForCreate(object);
  const { metadata } = object;
  const base = metadata.name === undefined || metadata.name === '' ? metadata.generateName : undefined;
  for (let attempt = 1; ; attempt++) {
    const candidate = copyOf(object);
    if (base !== undefined && base !== '') candidate.metadata.name = generatedName(base, core.random);
    const created = await tryCreate(core, target, candidate, context);
    if (created) return created;
    const name = candidate.metadata.name ?? '';
    if (core.objects.of(resource).get(namespace, name)) {
      if (base === undefined) throw alreadyExists(resource, name);
      if (attempt >= createAttempts) throw generatedNameTaken(target, name);
    } else if (attempt >= createAttempts) throw conflict(resource, name);
  }
}

/** Undefined where the name is taken, or something that the object needs was taken meanwhile. */
async function tryCreate(core: Core, target: Target, object: KubeObject, context: Context): Promise<CachedObject | undefined> {
  const { resource, namespace } = target;
  const objects = core.objects.of(resource);
  const name = object.metadata.name ?? '';
  const also = { compare: [], then: [] };
  await admit(core, { operation: 'CREATE', context, resource, subresource: '', namespace, name, object, also });
  refuseInvalid(target, object, resource.validate(object));
  checkPathName(resource, name);
  const key = objects.key(namespace, name);
  if (objects.cache.get(key)) return undefined;
  context.warnings.push(...resource.warnings(object));
  const written = await commit(core, objects, { key, from: 0, object: objects.toStored(object), also }, context);
  return written && objects.show(written);
}

function generatedNameTaken({ resource }: Target, name: string): Error {
  const { plural, group } = resource;
  return statusFault('already-exists', `${plural} "${name}" already exists, the server was not able to generate a unique name for the object`, {
    details: { name, kind: plural, ...(group !== '' && { group }), retryAfterSeconds: 1 },
  });
}
