import type { KubeObject } from '#api/kube/types.ts';
import type { Core } from '../core.ts';
import { conflict, notFound } from '../status.ts';
import type { CachedObject } from '../storage/object.ts';
import type { Context, Target } from '../types.ts';
import { commit } from './commit.ts';
import { copyOf } from '../storage/object.ts';

const mutateAttempts = 32;

/**
 * The server's own change to an object, which the rules for clients do not bind (a binding sets the node).
 * `change` works on a copy of the newest state, and throws to refuse.
 */
export async function mutate(core: Core, target: Target, change: (object: KubeObject) => void, context: Context): Promise<CachedObject> {
  const objects = core.objects.of(target.resource);
  for (let attempt = 1; attempt <= mutateAttempts; attempt++) {
    const old = objects.get(target.namespace, target.name);
    if (!old) throw notFound(target.resource, target.name);
    const object = copyOf(old.object);
    change(object);
    const key = objects.key(target.namespace, target.name);
    const written = await commit(core, objects, { key, from: old.revision, object: objects.toStored(object) }, context);
    if (written) return objects.show(written);
  }
  throw conflict(target.resource, target.name);
}
