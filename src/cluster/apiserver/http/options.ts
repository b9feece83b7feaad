/** The query parameters of lists and watches. */
import { badRequest } from '../status.ts';
import type { ListQuery } from '../verbs/list.ts';
import type { WatchQuery } from '../verbs/watch.ts';
import { isTrue } from './request-info.ts';

export function listQuery(query: URLSearchParams): ListQuery {
  return { ...selectors(query), limit: wholeNumber('limit', query.get('limit')), continue: query.get('continue') ?? undefined };
}

export function watchQuery(query: URLSearchParams): WatchQuery {
  const initial = query.get('sendInitialEvents');
  const timeout = query.get('timeoutSeconds');
  return {
    ...selectors(query),
    allowWatchBookmarks: query.has('allowWatchBookmarks') && isTrue(query.get('allowWatchBookmarks')),
    ...(initial !== null && { sendInitialEvents: isTrue(initial) }),
    ...(timeout !== null && timeout !== '0' && { timeoutSeconds: wholeNumber('timeoutSeconds', timeout) }),
  };
}

function selectors(query: URLSearchParams): Pick<ListQuery, 'labelSelector' | 'fieldSelector' | 'resourceVersion' | 'resourceVersionMatch'> {
  const text = (name: string): string | undefined => query.get(name) ?? undefined;
  return {
    labelSelector: text('labelSelector'),
    fieldSelector: text('fieldSelector'),
    resourceVersion: text('resourceVersion'),
    resourceVersionMatch: text('resourceVersionMatch'),
  };
}

/** 0 where it is absent or empty. */
export function wholeNumber(name: string, text: string | null): number {
  if (text === null || text === '') return 0;
  if (!/^\d{1,15}$/.test(text)) throw badRequest(`${name}: Invalid value: ${JSON.stringify(text)}: must be a whole number that is not negative`);
  return Number(text);
}
