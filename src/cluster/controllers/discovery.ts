/** Which resources the API serves: for controllers that work on all of them. */
import type { APIGroupList, APIResourceList } from '#api/kube/types.ts';
import { Backoff } from '#lib/backoff.ts';
import type { KubeClient, ResourceRef } from '#client/kube/types.ts';
import type { ApiObject, ControllerContext } from '#cluster/machinery/types.ts';

export interface Served {
  ref: ResourceRef;
  kind: string;
  namespaced: boolean;
}

/** What such a controller needs of a resource. */
const needed = ['list', 'watch', 'delete'];
/** Served in two groups from one storage: the older one is enough. */
const doubles = new Set(['events.k8s.io/events']);

/** Objects of one page of a list. */
const pageLimit = 500;

/** Between two tries, in milliseconds: the first, and the longest. */
const firstRetryMs = 100;
const longestRetryMs = 10_000;

/** Each stored resource once, in the preferred version of its group; tries until the API answers, or the signal (then nothing). */
export async function discover({ client, clock, log, signal }: ControllerContext): Promise<readonly Served[]> {
  const backoff = new Backoff(firstRetryMs, longestRetryMs);
  while (!signal.aborted) {
    try {
      return await read(client, signal);
    } catch (error) {
      if (!signal.aborted) log.warn('the resources of the API cannot be read; trying again', { error });
      await clock.sleep(backoff.next(), signal).catch(() => {});
    }
  }
  return [];
}

async function read(client: KubeClient, signal: AbortSignal): Promise<Served[]> {
  const { groups } = await client.request<APIGroupList>('GET', '/apis', undefined, { signal });
  const versions = [{ group: '', version: 'v1', path: '/api/v1' }];
  for (const { name, preferredVersion, versions: [first] } of groups) {
    const version = preferredVersion?.version ?? first?.version;
    if (version !== undefined) versions.push({ group: name, version, path: `/apis/${name}/${version}` });
  }
  const lists = versions.map(async ({ group, version, path }) => {
    const { resources } = await client.request<APIResourceList>('GET', path, undefined, { signal });
    return resources
      .filter(({ name, verbs }) => !name.includes('/') && needed.every((verb) => verbs.includes(verb)) && !doubles.has(`${group}/${name}`))
      .map(({ name, kind, namespaced }) => ({ ref: { group, version, resource: name }, kind, namespaced }));
  });
  return (await Promise.all(lists)).flat();
}

/** Read anew, page by page. @param namespace of all where it is undefined */
export async function listAll(client: KubeClient, { ref }: Served, namespace: string | undefined, signal: AbortSignal): Promise<ApiObject[]> {
  const objects: ApiObject[] = [];
  let page: string | undefined;
  do {
    const list = await client.list<ApiObject>(ref, { namespace, limit: pageLimit, continue: page, signal });
    for (const item of list.items) objects.push(item);
    page = list.metadata.continue;
  } while (page !== undefined && page !== '');
  return objects;
}
