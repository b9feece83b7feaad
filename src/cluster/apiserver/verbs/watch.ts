import type { Timer } from '#lib/clock.ts';
import { every } from '#lib/clock.ts';
import type { Core, Objects } from '../core.ts';
import { invalidObject } from '../status.ts';
import type { WatchItem, Watcher } from '../storage/watcher.ts';
import type { Target } from '../types.ts';
import { parseRevision } from './list.ts';
import type { Selection } from './selection.ts';
import { matcher, parseSelection, select } from './selection.ts';

export interface WatchQuery {
  labelSelector?: string;
  fieldSelector?: string;
  resourceVersion?: string;
  resourceVersionMatch?: string;
  allowWatchBookmarks: boolean;
  sendInitialEvents?: boolean;
  timeoutSeconds?: number;
}

/** Between bookmarks, in milliseconds. */
const bookmarkMs = 60_000;
/** How long a watch lives that says nothing about it: from this many seconds up to twice as many. */
const defaultTimeoutSeconds = 1800;

/**
 * What happens to the objects of a selection, in batches: first (unless a resourceVersion says from where) each
 * object as ADDED, then each change in order. Ends by the signal, by its timeout, and when the server stops.
 * The watch begins now; throws `expired` where the revision is too old. Reading it throws that when too slow.
 */
export function watch(core: Core, target: Target, query: WatchQuery, signal: AbortSignal): AsyncIterable<WatchItem[]> {
  const objects = core.objects.of(target.resource);
  const selection = parseSelection(objects, target.namespace, query.labelSelector, query.fieldSelector);
  checkInitialEvents(query);
  const matches = matcher(objects, selection);
  const asked = parseRevision(query.resourceVersion);
  const initial = query.sendInitialEvents ?? asked === 0;
  const from = initial || asked === 0 ? core.caches.revision : asked;
  const watcher = objects.cache.watch(from, (stored) => matches(objects.show(stored)));
  const first = initial ? initialEvents(objects, selection, query, from) : [];
  return follow(core, objects, { watcher, first, query, from }, signal);
}

interface Watching {
  watcher: Watcher;
  first: WatchItem[];
  query: WatchQuery;
  from: number;
}

async function* follow(core: Core, objects: Objects, { watcher, first, query, from }: Watching, signal: AbortSignal): AsyncGenerator<WatchItem[]> {
  const bookmark = (): void => watcher.put({ type: 'BOOKMARK', revision: Math.max(core.caches.revision, from) });
  const timers = startTimers(core, query, bookmark, () => watcher.end());
  const stop = (): void => watcher.end();
  signal.addEventListener('abort', stop, { once: true });
  try {
    if (first.length > 0) yield first;
    for (let items = await watcher.take(); items && !signal.aborted; items = await watcher.take()) {
      yield objects.resource.convert ? items.map((item) => shown(objects, item)) : items;
    }
  } finally {
    for (const timer of timers) timer.cancel();
    signal.removeEventListener('abort', stop);
    objects.cache.unwatch(watcher);
  }
}

function startTimers(core: Core, query: WatchQuery, bookmark: () => void, end: () => void): Timer[] {
  const seconds = query.timeoutSeconds ?? defaultTimeoutSeconds + core.random.int(defaultTimeoutSeconds);
  const ending = core.clock.after(seconds * 1000, () => {
    if (query.allowWatchBookmarks) bookmark();
    end();
  });
  const timers = query.allowWatchBookmarks ? [every(core.clock, bookmarkMs, bookmark), ending] : [ending];
  return timers.map((timer) => timer.unref());
}

function initialEvents(objects: Objects, selection: Selection, query: WatchQuery, revision: number): WatchItem[] {
  const items: WatchItem[] = [...select(objects, selection)].map((object) => ({ type: 'ADDED', object }));
  if (query.sendInitialEvents && query.allowWatchBookmarks) items.push({ type: 'BOOKMARK', revision, initialEventsEnd: true });
  return items;
}

function shown(objects: Objects, item: WatchItem): WatchItem {
  return item.type === 'BOOKMARK' ? item : { type: item.type, object: objects.show(item.object) };
}

function checkInitialEvents({ sendInitialEvents, resourceVersionMatch: match }: WatchQuery): void {
  const refuse = (path: string, detail: string): Error =>
    invalidObject({ group: 'meta.k8s.io', kind: 'ListOptions' }, '', [{ type: 'Forbidden', path, detail }]);
  if (sendInitialEvents === undefined) {
    if (match !== undefined && match !== '') throw refuse('resourceVersionMatch', 'resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided');
    return;
  }
  if (match !== 'NotOlderThan') {
    throw refuse('resourceVersionMatch', 'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan');
  }
}
