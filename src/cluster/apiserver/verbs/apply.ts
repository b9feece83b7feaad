import type { FieldValidation } from '#api/kube/decode.ts';
import { decodeYaml } from '#api/kube/decode.ts';
import { message } from '#api/kube/schema.ts';
import type { KubeObject } from '#api/kube/types.ts';
import { apiVersionOf } from '#api/kube/types.ts';
import { isoSeconds } from '#lib/clock.ts';
import { isFault, messageOf } from '#lib/errors.ts';
import type { Applying } from '../apply/apply.ts';
import { applied, firstOwners } from '../apply/apply.ts';
import type { Core } from '../core.ts';
import { badRequest, invalidObject, notFound } from '../status.ts';
import type { CachedObject } from '../storage/object.ts';
import { copyOf } from '../storage/object.ts';
import type { Context, Target } from '../types.ts';
import { create } from './create.ts';
import { applyFindings } from './findings.ts';
import { matchTarget } from './metadata.ts';
import { update } from './update.ts';

export interface ApplyOptions {
  /** As the request names it; there is no default for an apply. */
  manager: string;
  force: boolean;
  validation: FieldValidation;
}

/** Server-side apply of a manifest in YAML or JSON: makes the object, or changes what the manifest says of it. */
export async function apply(core: Core, target: Target, text: string, options: ApplyOptions, context: Context): Promise<{ object: CachedObject; created: boolean }> {
  const { resource, subresource, namespace, name } = target;
  if (options.manager === '') {
    const detail = 'is required for apply patch';
    throw invalidObject({ group: 'meta.k8s.io', kind: 'PatchOptions' }, '', [{ type: 'Required', path: 'fieldManager', detail }]);
  }
  const wanted = readManifest(target, text, options, context);
  const applying: Applying = {
    manager: options.manager,
    apiVersion: apiVersionOf(resource),
    subresource: subresource?.name ?? '',
    force: options.force,
    now: isoSeconds(core.clock.now()),
    message: message(resource.message),
  };
  for (;;) {
    if (!core.objects.of(resource).get(namespace, name)) {
      if (subresource) throw notFound(resource, name);
      const created = await tryCreate(core, target, wanted, applying, context);
      if (created) return { object: created, created: true };
    }
    try {
      const changed = await update(core, target, (old) => applied(old, wanted, applying), context, { retry: true, applies: true });
      return { object: changed, created: false };
    } catch (error) {
      // Deleted between the look and the change: made anew, unless it was another object that was meant.
      if (!isFault(error, 'not-found') || subresource || core.objects.of(resource).get(namespace, name)) throw error;
    }
  }
}

/** Undefined where somebody else was quicker. */
async function tryCreate(core: Core, target: Target, wanted: KubeObject, applying: Applying, context: Context): Promise<CachedObject | undefined> {
  try {
    return await create(core, { ...target, name: '' }, copyOf(wanted), context, { managedFields: firstOwners(wanted, applying) });
  } catch (error) {
    if (isFault(error, 'already-exists')) return undefined;
    throw error;
  }
}

function readManifest(target: Target, text: string, { validation }: ApplyOptions, context: Context): KubeObject {
  const { resource, subresource, namespace, name } = target;
  let decoded: ReturnType<typeof decodeYaml>;
  try {
    decoded = decodeYaml(text, resource);
  } catch (error) {
    throw badRequest(messageOf(error), error);
  }
  const { object, findings } = decoded;
  applyFindings(findings, { validation, warnings: context.warnings });
  if (object.kind !== resource.kind || object.apiVersion !== apiVersionOf(resource)) {
    throw badRequest(`the manifest is of ${object.apiVersion}, Kind=${object.kind}, and the path of ${apiVersionOf(resource)}, Kind=${resource.kind}`);
  }
  object.metadata ??= {};
  if (object.metadata.managedFields !== undefined) throw badRequest('metadata.managedFields must be nil');
  matchTarget(object, namespace, name);
  // The status is owned through its own door, and nothing else is owned through that.
  const hasStatus = resource.subresources.some((candidate) => candidate.name === 'status');
  if (!subresource && hasStatus) delete object['status'];
  if (subresource?.name !== 'status') return object;
  const { apiVersion, kind, metadata, status } = object;
  return { apiVersion, kind, metadata: { name: metadata.name, namespace: metadata.namespace }, status };
}
