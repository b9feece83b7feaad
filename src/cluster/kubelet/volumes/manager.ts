/** All volumes of a pod: where they are, setting up, refreshing, safe sub-paths, and taking all away. */
import { chmodSync, closeSync, constants, existsSync, fstatSync, mkdirSync, openSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Pod, Volume, VolumeMount } from '#api/kube/types.ts';
import { codeOf, Fault, isFault, messageOf } from '#lib/errors.ts';
import { openPath } from '#lib/open-flags.ts';
import type { PodObjects } from '../container/environment.ts';
import type { PodFacts } from '../container/fields.ts';
import type { NodeContext, NodePlace } from '../types.ts';
import { volumePlugins } from './plugins.ts';
import { forgetTokens } from './projected.ts';
import type { VolumeContext, VolumePlugin } from './types.ts';

export function podDirectory(node: NodePlace, uid: string): string {
  return join(node.root, 'pods', uid);
}

/** The plugin of a volume; a source that this node has not is refused by name. */
export function pluginOf(volume: Volume): VolumePlugin {
  const plugin = volumePlugins.find((candidate) => volume[candidate.source] !== undefined);
  if (plugin) return plugin;
  const source = Object.keys(volume).find((key) => key !== 'name') ?? 'none';
  throw new Fault('not-implemented', `volume ${volume.name}: the source ${source} is not supported on this node`);
}

export class PodVolumes {
  readonly #node: NodeContext;
  readonly #objects: PodObjects;
  /** What containers bind, by the volume's name. */
  readonly #paths = new Map<string, string>();

  constructor(node: NodeContext, objects: PodObjects) {
    this.#node = node;
    this.#objects = objects;
  }

  /** Sets up what is not yet. The first that fails rejects, with the volume's name. */
  async setUp(pod: Pod, facts: PodFacts): Promise<void> {
    for (const volume of pod.spec.volumes ?? []) {
      if (this.#paths.has(volume.name)) continue;
      const context = this.#context(pod, volume, facts);
      mkdirSync(context.directory, { recursive: true, mode: 0o755 });
      try {
        this.#paths.set(volume.name, await pluginOf(volume).setUp(context));
      } catch (error) {
        const kind = isFault(error) ? error.kind : 'internal';
        throw new Fault(kind, `MountVolume.SetUp failed for volume "${volume.name}" : ${messageOf(error)}`, { cause: error, details: { reason: 'FailedMount' } });
      }
    }
  }

  /** Brings volumes that are made of API objects up to date. */
  async refresh(pod: Pod, facts: PodFacts): Promise<void> {
    for (const volume of pod.spec.volumes ?? []) {
      if (this.#paths.has(volume.name)) await pluginOf(volume).refresh?.(this.#context(pod, volume, facts));
    }
  }

  /** Whether anything of the pod's volumes can change. */
  changing(pod: Pod): boolean {
    return (pod.spec.volumes ?? []).some((volume) => this.#paths.has(volume.name) && pluginOf(volume).refresh !== undefined);
  }

  #context(pod: Pod, volume: Volume, facts: PodFacts): VolumeContext {
    const directory = join(podDirectory(this.#node, pod.metadata.uid!), 'volumes', volume.name);
    return { node: this.#node, pod, volume, directory, objects: this.#objects, facts };
  }

  /** The path to bind for a mount. `subPath` (expanded) is resolved inside the volume, whatever links it holds. */
  source(pod: Pod, container: string, mount: VolumeMount, index: number, subPath: string): string {
    const path = this.#paths.get(mount.name);
    if (path === undefined) throw new Fault('precondition', `volume ${mount.name} is not set up`, { details: { reason: 'CreateContainerConfigError' } });
    if (subPath === '') return path;
    if (subPath.startsWith('/') || subPath.split('/').includes('..')) {
      throw new Fault('invalid', `volume ${mount.name}: subPath ${JSON.stringify(subPath)} must be relative and without ".."`, { details: { reason: 'CreateContainerConfigError' } });
    }
    return this.#bindSubPath(path, subPath, join(podDirectory(this.#node, pod.metadata.uid!), 'subpaths', container, String(index)));
  }

  /** The resolved file is bound to a place that the container cannot change, so that no link is followed later. */
  #bindSubPath(volume: string, subPath: string, target: string): string {
    const { files, mounts } = this.#node.core.kernel;
    const root = openSync(volume, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      const fd = this.#openOrMake(root, subPath);
      try {
        mounts.unmountTree(target);
        rmSync(target, { recursive: true, force: true });
        mkdirSync(join(target, '..'), { recursive: true });
        if (statSync(files.pathOf(fd)).isDirectory()) mkdirSync(target);
        else writeFileSync(target, '');
        mounts.mount(files.pathOf(fd), target, '', ['bind']);
        return target;
      } finally {
        files.close(fd);
      }
    } finally {
      closeSync(root);
    }
  }

  #openOrMake(root: number, subPath: string): number {
    const { files } = this.#node.core.kernel;
    try {
      return files.openInRoot(root, subPath, openPath);
    } catch (error) {
      if (!isFault(error, 'not-found')) throw error;
    }
    // As Kubernetes: a sub-path that is missing becomes a directory with the volume's own mode.
    const mode = fstatSync(root).mode & 0o7777;
    let at = '';
    for (const part of subPath.split('/').filter((name) => name !== '' && name !== '.')) {
      const parent = files.openInRoot(root, at === '' ? '.' : at, openPath);
      try {
        makeDirectory(join(files.pathOf(parent), part), mode);
      } finally {
        files.close(parent);
      }
      at = at === '' ? part : `${at}/${part}`;
    }
    return files.openInRoot(root, subPath, openPath);
  }

  /** Their directories are gone: they are to be set up again. */
  forget(): void {
    this.#paths.clear();
  }
}

/** Makes it where it is missing. The name cannot be a link that leads away: mkdir does not follow one. */
function makeDirectory(path: string, mode: number): void {
  try {
    mkdirSync(path);
    chmodSync(path, mode);
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
  }
}

/** Removes all directories and mounts of the pod. */
export async function removePodDirectory(node: NodePlace, uid: string): Promise<void> {
  const directory = podDirectory(node, uid);
  const { files, mounts } = node.core.kernel;
  if (existsSync(directory)) mounts.unmountTree(directory);
  await files.removeTree(directory);
  forgetTokens(node, uid);
}
