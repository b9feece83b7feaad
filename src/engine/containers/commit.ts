/** docker commit: a container's changes as a layer on its image. */
import type { CommitOptions } from '#api/docker/calls.ts';
import type { CommitResponse } from '#api/docker/images.ts';
import type { ContainerConfig, ImageConfig } from '#api/oci/image.ts';
import { parseReference } from '#core/images/reference.ts';
import { isoTime } from '#lib/clock.ts';
import { Fault } from '#lib/errors.ts';
import { hex } from '#lib/random.ts';
import { readTar } from '#lib/tar/read.ts';
import { writeTar } from '#lib/tar/write.ts';
import type { TarSource } from '#lib/tar/write.ts';
import { applyChanges } from '../images/change-instructions.ts';
import { joinTag } from '../images/context.ts';
import { storeLayer } from '#core/snapshots/layer-blob.ts';
import { ownChanges } from './changes.ts';
import type { ContainerContext } from './context.ts';
import { emitContainer } from './context.ts';
import type { ContainerRecord } from './record.ts';
import { commandOf } from './record.ts';

export async function commitContainer(context: ContainerContext, reference: string, options: CommitOptions): Promise<CommitResponse> {
  const record = context.set.must(reference);
  const base = context.images.get(record.imageId);
  if (!base) throw new Fault('not-found', `No such image: ${record.imageId}; the image of container ${record.id} is gone, so nothing can be committed on it`);
  const names = options.repo === '' ? [] : [joinTag(options.repo, options.tag)];
  names.forEach(parseReference);
  const config = applyChanges(imageConfigOf(record, base.config.config ?? {}, options.config), options.changes);
  const pausing = options.pause && record.state.status === 'running';
  if (pausing) await context.containers.pause(record.id);
  try {
    const { descriptor, diffId } = await storeLayer(context.images.content, ownLayer(context, record), `commit-${hex(context.random, 16)}`);
    const created = isoTime(context.clock.now());
    const image: ImageConfig = {
      ...base.config,
      created,
      author: options.author || base.config.author,
      comment: options.comment,
      container: record.id,
      config,
      rootfs: { type: 'layers', diff_ids: [...base.config.rootfs.diff_ids, diffId] },
      history: [...(base.config.history ?? []), { created, author: options.author || undefined, created_by: commandOf(record.config).join(' '), comment: options.comment || undefined }],
    };
    const made = await context.images.assemble(image, [...base.layers, descriptor], names, { parent: base.id });
    emitContainer(context, record, 'commit', { comment: options.comment, imageID: made.id, ...(names[0] ? { imageRef: names[0] } : {}) });
    return { Id: made.id };
  } finally {
    if (pausing) await context.containers.resume(record.id);
  }
}

/** The container's config without what was its own alone; fields of `over` win where set. */
function imageConfigOf(record: ContainerRecord, image: ContainerConfig, over: ContainerConfig | undefined): ContainerConfig {
  const { User, ExposedPorts, Env, Entrypoint, Cmd, Volumes, WorkingDir, Labels, StopSignal, Healthcheck, Shell } = record.config;
  const own = { User, ExposedPorts, Env, Entrypoint, Cmd, Volumes, WorkingDir, Labels, StopSignal, Healthcheck, Shell, OnBuild: image.OnBuild };
  const asked = Object.entries(over ?? {}).filter(([key, value]) => key in own && value !== null && value !== '' && !(typeof value === 'object' && Object.keys(value).length === 0));
  return { ...own, ...Object.fromEntries(asked) };
}

/** The layer tar of the snapshot, without the mount points that the runtime made. */
async function* ownLayer(context: ContainerContext, record: ContainerRecord): AsyncGenerator<Uint8Array> {
  const kept = ownChanges(record, await context.snapshots.changes(record.id));
  const paths = new Set(kept.map((change) => change.path));
  const isKept = (name: string): boolean => {
    const path = `/${name.replace(/^\.?\//, '').replace(/\/$/, '')}`;
    const whiteout = path.replace(/\/\.wh\.([^/]+)$/, '/$1');
    // a directory is there for what changed below it
    return paths.has(path) || paths.has(whiteout) || path.endsWith('/.wh..wh..opq') || kept.some((c) => c.path.startsWith(`${path}/`));
  };
  async function* members(): AsyncGenerator<TarSource> {
    for await (const member of readTar(await context.snapshots.diff(record.id))) {
      if (isKept(member.entry.name)) yield { entry: member.entry, body: member.body() };
    }
  }
  yield* writeTar(members()) as AsyncIterable<Uint8Array>;
}
