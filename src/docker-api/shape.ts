/** Differences between API versions: the backends speak the newest, older clients get what they expect. */
import type { ContainerInspect } from '#api/docker/containers.ts';
import type { EndpointSettings, NetworkInspect } from '#api/docker/networks.ts';
import type { ImageInspect, ImageSummary } from '#api/docker/images.ts';
import type { DiskUsageResponse } from '#api/docker/system.ts';

/**
 * Below 1.44 images had a `VirtualSize`; below 1.45 inspect gave the committed container and its config. The volumes of that
 * config are there for all: docker-compose 1.29 speaks the newest API, and reads them when it makes a container anew.
 */
export function shapeImage(image: ImageInspect, version: number): object {
  return {
    ...image,
    ...(version < 44 ? { VirtualSize: image.Size } : {}),
    ...(version < 45 ? { Container: '' } : {}),
    ContainerConfig: { Volumes: image.Config.Volumes ?? null },
  };
}

/** Below 1.43 an image without names had one that said so. */
export function shapeImageSummary(image: ImageSummary, version: number): object {
  if (version >= 44) return image;
  const nameless = version < 43 && image.RepoTags.length === 0;
  return {
    ...image,
    VirtualSize: image.Size,
    ...(nameless ? { RepoTags: ['<none>:<none>'], RepoDigests: image.RepoDigests.length > 0 ? image.RepoDigests : ['<none>@<none>'] } : {}),
  };
}

export function shapeDiskUsage(usage: DiskUsageResponse, version: number): object {
  return { ...usage, Images: usage.Images?.map((image) => shapeImageSummary(image, version)) ?? null };
}

/** Below 1.45 an endpoint's aliases held the container's short id too; `DNSNames` came with 1.44, `GwPriority` with 1.48. */
export function shapeContainer(container: ContainerInspect, version: number): object {
  if (version >= 48) return container;
  const networks = Object.entries(container.NetworkSettings.Networks).map(([name, endpoint]): [string, EndpointSettings] => {
    const { GwPriority: _, DNSNames, ...rest } = endpoint;
    const own = container.HostConfig.NetworkMode === 'bridge' ? [] : [container.Id.slice(0, 12)];
    const aliases = version < 45 ? [...new Set([...(rest.Aliases ?? []), ...own])] : rest.Aliases;
    return [name, { ...rest, Aliases: aliases?.length === 0 ? null : aliases, ...(version >= 44 ? { DNSNames } : {}) }];
  });
  return { ...container, NetworkSettings: { ...container.NetworkSettings, Networks: Object.fromEntries(networks) } };
}

/** `EnableIPv4` came with 1.48. */
export function shapeNetwork(network: NetworkInspect, version: number): object {
  if (version >= 48) return network;
  const { EnableIPv4: _, ...rest } = network;
  return rest;
}
