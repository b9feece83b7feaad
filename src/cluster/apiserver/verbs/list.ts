import { prefixEnd } from '#core/store/types.ts';
import { isFault } from '#lib/errors.ts';
import type { Core, Objects } from '../core.ts';
import { badRequest, expired, invalidObject, resourceVersionTooLarge } from '../status.ts';
import type { CachedObject } from '../storage/object.ts';
import { decodeStored } from '../storage/object.ts';
import type { Target } from '../types.ts';
import { decodeContinue, encodeContinue } from './continue.ts';
import type { Selection } from './selection.ts';
import { matcher, parseSelection, select, selectsAll } from './selection.ts';

export interface ListQuery {
  labelSelector?: string;
  fieldSelector?: string;
  /** 0: no limit. */
  limit: number;
  continue?: string;
  resourceVersion?: string;
  resourceVersionMatch?: string;
}

export interface Listed {
  items: CachedObject[];
  revision: number;
  continue?: string;
  /** Only where it is known without counting what a selector matches. */
  remaining?: number;
}

/** Objects read at once from the store for a list of the past. */
const historyChunk = 500;

const tooOldToken =
  'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, ' +
  'or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an ' +
  'inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.';

/** A list at one revision: the newest, or the one asked for. Throws `expired` (410) where that was compacted away. */
export async function list(core: Core, target: Target, query: ListQuery): Promise<Listed> {
  const objects = core.objects.of(target.resource);
  const selection = parseSelection(objects, target.namespace, query.labelSelector, query.fieldSelector);
  checkVersionMatch(target, query);
  if (query.continue !== undefined && query.continue !== '') return continued(core, objects, selection, query);
  const asked = parseRevision(query.resourceVersion);
  if (asked > core.caches.revision) throw resourceVersionTooLarge(asked, core.caches.revision);
  const exact = asked > 0 && (query.resourceVersionMatch === 'Exact' || (query.resourceVersionMatch === undefined && query.limit > 0));
  if (exact) return at(core, objects, selection, { revision: asked, after: '' }, query.limit);
  return page(core.caches.revision, objects, selection, '', query.limit);
}

/** A whole number; empty and absent are 0. Throws `invalid` where it is none. */
export function parseRevision(text: string | undefined): number {
  if (text === undefined || text === '') return 0;
  if (!/^\d{1,15}$/.test(text)) throw badRequest(`resourceVersion: Invalid value: ${JSON.stringify(text)}: strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`);
  return Number(text);
}

async function continued(core: Core, objects: Objects, selection: Selection, query: ListQuery): Promise<Listed> {
  if (query.resourceVersion !== undefined && query.resourceVersion !== '' && query.resourceVersion !== '0') {
    throw badRequest('specifying resource version is not allowed when using continue');
  }
  const token = decodeContinue(query.continue ?? '', objects.prefix(selection.namespace));
  if (token.revision === 0) return page(core.caches.revision, objects, selection, token.after, query.limit);
  try {
    return await at(core, objects, selection, token, query.limit);
  } catch (error) {
    if (!isFault(error, 'expired')) throw error;
    throw expired(tooOldToken, encodeContinue({ revision: 0, after: token.after }));
  }
}

/** A list as of `revision`: from the cache if nothing changed since, else from the store. */
async function at(core: Core, objects: Objects, selection: Selection, from: { revision: number; after: string }, limit: number): Promise<Listed> {
  const { revision, after } = from;
  if (revision < core.store.compactedRevision()) throw expired('The resourceVersion for the provided list is too old.');
  if (objects.cache.lastChange <= revision) return page(revision, objects, selection, after, limit);
  const matches = matcher(objects, selection);
  const prefix = objects.prefix(selection.namespace);
  const items: CachedObject[] = [];
  let start = after === '' ? prefix : `${after}\0`;
  for (;;) {
    const read = await core.store.range(start, prefixEnd(prefix), { revision, limit: historyChunk });
    for (const [i, entry] of read.entries.entries()) {
      const object = objects.show(decodeStored(entry.key, entry.modRevision, entry.value));
      if (!matches(object)) continue;
      if (limit > 0 && items.length === limit) {
        const remaining = selectsAll(selection) ? read.count - i : undefined;
        return { items, revision, continue: encodeContinue({ revision, after: items.at(-1)?.key ?? '' }), remaining };
      }
      items.push(object);
    }
    if (!read.more) return { items, revision };
    start = `${read.entries.at(-1)?.key ?? ''}\0`;
  }
}

function page(revision: number, objects: Objects, selection: Selection, after: string, limit: number): Listed {
  if (limit === 0) return { items: [...select(objects, selection, after)], revision };
  const items: CachedObject[] = [];
  let more = 0;
  const countRest = selectsAll(selection);
  for (const object of select(objects, selection, after)) {
    if (items.length < limit) items.push(object);
    else {
      more++;
      if (!countRest) break;
    }
  }
  if (more === 0) return { items, revision };
  const token = encodeContinue({ revision, after: items.at(-1)?.key ?? '' });
  return { items, revision, continue: token, ...(countRest && { remaining: more }) };
}

function checkVersionMatch({ resource }: Target, query: ListQuery): void {
  const match = query.resourceVersionMatch;
  if (match === undefined || match === '') return;
  const path = 'resourceVersionMatch';
  const refuse = (detail: string): Error =>
    invalidObject({ group: 'meta.k8s.io', kind: 'ListOptions' }, '', [{ type: 'Forbidden', path, detail }]);
  if (match !== 'Exact' && match !== 'NotOlderThan') {
    const detail = 'supported values: "Exact", "NotOlderThan"';
    throw invalidObject({ group: 'meta.k8s.io', kind: 'ListOptions' }, resource.plural, [{ type: 'NotSupported', path, value: match, detail }]);
  }
  if (query.continue !== undefined && query.continue !== '') throw refuse('resourceVersionMatch is forbidden when continue is provided');
  if (query.resourceVersion === undefined || query.resourceVersion === '') {
    throw refuse('resourceVersionMatch is forbidden unless resourceVersion is provided');
  }
  if (match === 'Exact' && query.resourceVersion === '0') throw refuse('resourceVersionMatch "exact" is forbidden for resourceVersion "0"');
}
