/** Which resources the API serves: for controllers that work on all of them. */
import type { APIGroupList, APIResourceList } from '#api/kube/types.ts';
import type { KubeClient, ResourceRef } from '#client/kube/types.ts';

export interface Served {
  ref: ResourceRef;
  kind: string;
  namespaced: boolean;
}

/** What such a controller needs of a resource. */
const needed = ['list', 'watch', 'delete'];
/** Served in two groups from one storage: the older one is enough. */
const doubles = new Set(['events.k8s.io/events']);

/** Each stored resource once, in the preferred version of its group. */
export async function discover(client: KubeClient, signal: AbortSignal): Promise<Served[]> {
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
