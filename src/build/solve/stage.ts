import type { ImageConfig, ImageHistory } from '#api/oci/image.ts';
import { defaultPath } from '#core/containers/spec/defaults.ts';
import type { Descriptor } from '#core/content/types.ts';
import type { ChainId } from '#core/snapshots/types.ts';
import type { CachedLayer } from '../types.ts';

/** A stage as far as it is built. */
export interface StageState {
  config: ImageConfig;
  layers: Descriptor[];
  chain: ChainId;
  /** Cache key of the newest step. */
  key: string;
  args: Map<string, string>;
  setCmd: boolean;
}

export function emptyStage(architecture: string): StageState {
  const config: ImageConfig = {
    architecture,
    os: 'linux',
    config: { Env: [defaultPath], WorkingDir: '/' },
    rootfs: { type: 'layers', diff_ids: [] },
    history: [],
  };
  return { config, layers: [], chain: '', key: 'scratch', args: new Map(), setCmd: false };
}

/** A stage on top of another or of an image: its own copy of the config. */
export function stageOn(base: { config: ImageConfig; layers: readonly Descriptor[]; chain: ChainId; key: string; args?: ReadonlyMap<string, string> }): StageState {
  return {
    config: structuredClone(base.config),
    layers: [...base.layers],
    chain: base.chain,
    key: base.key,
    args: new Map(base.args ?? []),
    setCmd: false,
  };
}

/** The step's mark in the image: its layer, and its line of history. */
export function recordStep(stage: StageState, createdBy: string, created: string, layer: CachedLayer | undefined): void {
  const entry: ImageHistory = { created, created_by: createdBy };
  if (stage.config.author) entry.author = stage.config.author;
  if (layer) {
    stage.layers.push(layer.descriptor);
    stage.config.rootfs.diff_ids.push(layer.diffId);
    stage.chain = layer.chain;
  } else entry.empty_layer = true;
  (stage.config.history ??= []).push(entry);
}
