import type { KubeClient, ResourceRef, WatchEvent, WatchOptions } from '#client/kube/types.ts';

/** The same client, saying where a watch tells anything but newer and newer revisions. */
export function orderedWatches(client: KubeClient, say: (problem: string) => void): KubeClient {
  const watch = async function* <T>(ref: ResourceRef, options: WatchOptions): AsyncGenerator<WatchEvent<T>> {
    let last = Number(options.resourceVersion ?? '0');
    for await (const event of client.watch<T>(ref, options)) {
      const revision = Number((event.object as { metadata: { resourceVersion?: string } }).metadata.resourceVersion);
      const bookmark = event.type === 'BOOKMARK';
      if (!(bookmark ? revision >= last : revision > last)) say(`a watch of ${ref.resource} from ${options.resourceVersion} told ${event.type} ${revision} after ${last}`);
      last = revision;
      yield event;
    }
  };
  return {
    get: (...call) => client.get(...call),
    list: (...call) => client.list(...call),
    create: (...call) => client.create(...call),
    update: (...call) => client.update(...call),
    patch: (...call) => client.patch(...call),
    delete: (...call) => client.delete(...call),
    request: (...call) => client.request(...call),
    stream: (...call) => client.stream(...call),
    watch,
  };
}
