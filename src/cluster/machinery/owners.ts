import type { ObjectMeta, OwnerReference } from '#api/kube/types.ts';
import type { ApiObject } from './types.ts';

/** The reference that says that `owner` controls an object, and that the owner waits for its deletion. */
export function controllerReference(owner: ApiObject): OwnerReference {
  return {
    apiVersion: owner.apiVersion,
    kind: owner.kind,
    name: owner.metadata.name ?? '',
    uid: owner.metadata.uid ?? '',
    controller: true,
    blockOwnerDeletion: true,
  };
}

/** The reference to what controls the object, if something does. */
export function controllerOf(object: { metadata: ObjectMeta }): OwnerReference | undefined {
  return object.metadata.ownerReferences?.find((reference) => reference.controller === true);
}

export function isControlledBy(object: { metadata: ObjectMeta }, owner: { metadata: ObjectMeta }): boolean {
  return controllerOf(object)?.uid === owner.metadata.uid;
}

/** Index values: the uid of the controller, or '' for an object that has none. */
export function controllerUids(object: { metadata: ObjectMeta }): string[] {
  return [controllerOf(object)?.uid ?? ''];
}
