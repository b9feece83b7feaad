/**
 * Volumes of pods. Each source is one *plugin*, a value in the list of `plugins.ts`. A plugin makes a directory (or
 * names one of the host) that containers bind; what changes in the API is brought into it by `refresh`.
 *
 * Life: `set up` before the first container (again after a restart of the kubelet: what is there stays) -> `refresh`
 * now and then -> all directories and mounts of the pod are removed with the pod.
 */
import type { Pod, Volume } from '#api/kube/types.ts';
import type { PodFacts } from '../container/fields.ts';
import type { PodObjects } from '../container/environment.ts';
import type { NodeContext } from '../types.ts';

export interface VolumeContext {
  node: NodeContext;
  pod: Pod;
  volume: Volume;
  /** The volume's own directory; made before `setUp`. */
  directory: string;
  objects: PodObjects;
  facts: PodFacts;
}

export interface VolumePlugin {
  /** The field of the volume's source: `configMap`. */
  source: keyof Volume;
  /** Returns what containers bind: `directory`, or a path of the host. */
  setUp(context: VolumeContext): Promise<string>;
  /** Brings it up to date. Absent where it never changes. */
  refresh?(context: VolumeContext): Promise<void>;
}

/** One file of a volume that is made of data. */
export interface VolumeFile {
  /** Relative; no `..`, not absolute. */
  path: string;
  data: Uint8Array;
  mode: number;
}
