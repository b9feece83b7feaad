import type { ParsedFieldSelector } from '#api/kube/fields.ts';
import { matchesFields, parseFieldSelector } from '#api/kube/fields.ts';
import type { ParsedLabelSelector } from '#api/kube/labels.ts';
import { matchesLabels, parseLabelSelector } from '#api/kube/labels.ts';
import { messageOf } from '#lib/errors.ts';
import type { Objects } from '../core.ts';
import { badRequest } from '../status.ts';
import type { CachedObject } from '../storage/object.ts';

/** Which objects of a collection are meant. */
export interface Selection {
  namespace: string;
  labels: ParsedLabelSelector;
  fields: ParsedFieldSelector;
}

/** Throws `invalid` where a selector cannot be read, or names a field that the kind does not offer. */
export function parseSelection(objects: Objects, namespace: string, labelSelector = '', fieldSelector = ''): Selection {
  const labels = parse(() => parseLabelSelector(labelSelector));
  const fields = parse(() => parseFieldSelector(fieldSelector));
  const { resource } = objects;
  if (fields.length > 0) {
    const bare = { apiVersion: '', kind: resource.kind, metadata: {}, spec: {}, status: {}, involvedObject: {}, source: {}, regarding: {} };
    const offered = new Set(Object.keys(resource.selectableFields(bare)));
    const unknown = fields.find(({ field }) => !offered.has(field));
    if (unknown) throw badRequest(`field label not supported: ${unknown.field}`);
  }
  return { namespace, labels, fields };
}

/** Whether it leaves nothing out but by namespace. */
export function selectsAll({ labels, fields }: Selection): boolean {
  return labels.length === 0 && fields.length === 0;
}

/** Tests an object as it is shown; of its key only the namespace matters. */
export function matcher(objects: Objects, selection: Selection): (object: CachedObject) => boolean {
  const { labels, fields } = selection;
  const prefix = objects.prefix(selection.namespace);
  return (object) =>
    object.key.startsWith(prefix) &&
    (labels.length === 0 || matchesLabels(labels, object.object.metadata.labels)) &&
    (fields.length === 0 || matchesFields(fields, objects.fields(object)));
}

/** All that match, in key order, from the first after `after`. */
export function* select(objects: Objects, selection: Selection, after = ''): Generator<CachedObject> {
  const matches = matcher(objects, selection);
  for (const stored of candidates(objects, selection, after)) {
    const shown = objects.show(stored);
    if (matches(shown)) yield shown;
  }
}

function candidates(objects: Objects, { namespace, fields }: Selection, after: string): Iterable<CachedObject> {
  const prefix = objects.prefix(namespace);
  for (const { field, operator, value } of fields) {
    if (operator !== '=') continue;
    if (field === 'metadata.name' && (namespace !== '' || !objects.resource.namespaced)) {
      const one = objects.cache.get(objects.key(namespace, value));
      return one && one.key > after ? [one] : [];
    }
    const found = objects.cache.find(field, value, prefix);
    if (found) return after === '' ? found : found.filter((object) => object.key > after);
  }
  return objects.cache.scan(prefix, after);
}


function parse<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw badRequest(messageOf(error), error);
  }
}
