import type { KubeObject } from '#api/kube/types.ts';
import { isoSeconds } from '#lib/clock.ts';
import type { Resource } from '#cluster/resources/types.ts';
import type { Core } from '../core.ts';
import { badRequest, conflict, invalidObject } from '../status.ts';

/** Names become parts of keys and paths: what no resource may be called. */
export function checkPathName(resource: Resource, name: string): void {
  const wrong = name === '.' || name === '..' ? `may not be '${name}'` : /[/%]/.exec(name) && `may not contain '${/[/%]/.exec(name)?.[0]}'`;
  if (wrong) throw invalidObject(resource, name, [{ type: 'Invalid', path: 'metadata.name', value: name, detail: wrong }]);
}

/** Settles which namespace and name a body is for. `name` is empty where the path names none. */
export function matchTarget(object: KubeObject, namespace: string, name: string): void {
  const { metadata } = object;
  if (namespace === '') delete metadata.namespace;
  else if (metadata.namespace === undefined || metadata.namespace === '') metadata.namespace = namespace;
  else if (metadata.namespace !== namespace) {
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  }
  if (name === '') return;
  if (metadata.name === undefined || metadata.name === '') metadata.name = name;
  else if (metadata.name !== name) {
    throw badRequest(`the name of the object (${metadata.name}) does not match the name on the URL (${name})`);
  }
}

/** Gives a new object what the server alone may give it. */
export function stampNew(core: Core, object: KubeObject): void {
  const { metadata } = object;
  if (metadata.resourceVersion !== undefined && metadata.resourceVersion !== '') {
    throw badRequest('resourceVersion should not be set on objects to be created');
  }
  delete metadata.resourceVersion;
  delete metadata.deletionTimestamp;
  delete metadata.deletionGracePeriodSeconds;
  delete metadata.selfLink;
  delete metadata.managedFields;
  metadata.uid = core.random.uuid();
  metadata.creationTimestamp = isoSeconds(core.clock.now());
}

/** Puts back what an update may not change, having checked what the client says of it. */
export function carryOver(resource: Resource, object: KubeObject, old: KubeObject): void {
  const { metadata } = object;
  const kept = old.metadata;
  if (metadata.uid !== undefined && metadata.uid !== '' && metadata.uid !== kept.uid) {
    const why = `Precondition failed: UID in precondition: ${metadata.uid}, UID in object meta: ${kept.uid}`;
    throw conflict(resource, kept.name ?? '', why);
  }
  metadata.uid = kept.uid;
  metadata.creationTimestamp = kept.creationTimestamp;
  delete metadata.selfLink;
  for (const field of ['deletionTimestamp', 'deletionGracePeriodSeconds', 'generation', 'managedFields'] as const) {
    if (kept[field] === undefined) delete metadata[field];
    else Object.assign(metadata, { [field]: kept[field] });
  }
}
