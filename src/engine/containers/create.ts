/** POST /containers/create: checks all, then makes the record, the snapshot and the volumes, or nothing. */
import { mkdir, rm, stat } from 'node:fs/promises';
import type { CreateRequest, CreateResponse } from '#api/docker/containers.ts';
import type { HostConfig } from '#api/docker/host-config.ts';
import type { EndpointSettings } from '#api/docker/networks.ts';
import type { Image } from '#core/images/types.ts';
import { Fault, codeOf } from '#lib/errors.ts';
import { hex } from '#lib/random.ts';
import { resolveInRoot } from '#lib/rootfs-path.ts';
import { familiar } from '#core/images/reference.ts';
import { checkPlatforms } from '../images/platform.ts';
import type { ContainerContext } from './context.ts';
import { directoryOf, emitContainer } from './context.ts';
import { checkEndpoint, checkMac } from './endpoint-settings.ts';
import { checkHostConfig, hostWarnings } from './host-config.ts';
import { mergeConfig } from './merge-config.ts';
import type { MountPlan } from './mounts.ts';
import { planMounts } from './mounts.ts';
import { checkName, inventName } from './names.ts';
import { portRequests } from './ports.ts';
import type { ContainerRecord, MountRecord } from './record.ts';
import { firstState, otherOf } from './record.ts';

const anonymousLabel = 'com.docker.volume.anonymous';

export async function createContainer(context: ContainerContext, request: CreateRequest, options: { name?: string; platform?: string }): Promise<CreateResponse> {
  const { set, random } = context;
  const id = hex(random, 32);
  const name = options.name === undefined ? inventName(random, (n) => set.isNameFree(n)) : checkName(options.name);
  const image = findImage(context, request.Image ?? '', options.platform ?? '');
  const config = mergeConfig(request, image.config.config ?? {}, id);
  const given = config.NetworkDisabled ? { ...request.HostConfig, NetworkMode: 'none' } : (request.HostConfig ?? {});
  const hostConfig = checkHostConfig(given, { runtimes: [context.host.runtime.name], cgroupVersion: context.host.cgroupVersion });
  const endpoints = wantedEndpoints(hostConfig, request);
  portRequests({ config, hostConfig });
  const plans = planMounts(config, hostConfig, inheritedMounts(context, hostConfig));
  checkReferences(context, hostConfig);
  set.claimName(name, id);
  const undo: (() => Promise<unknown>)[] = [];
  try {
    // the directory first: it marks what a creation that is cut off leaves (see recovery)
    await mkdir(directoryOf(context, id), { recursive: true, mode: 0o710 });
    undo.push(() => rm(directoryOf(context, id), { recursive: true, force: true }));
    await context.snapshots.create(id, image.chain, { labels: { owner: 'docker' } }).catch((error: unknown) => {
      // removed since it was looked up: the client is told as if it had asked a moment later
      findImage(context, image.id, '');
      throw error;
    });
    undo.push(() => context.snapshots.remove(id));
    const mounts = await makeMounts(context, id, plans, image, undo);
    const record: ContainerRecord = {
      id,
      name,
      createdAt: context.clock.now(),
      image: request.Image ?? '',
      imageId: image.id,
      config,
      hostConfig,
      endpoints,
      mounts,
      state: firstState,
    };
    emitContainer(context, await set.add(record), 'create');
  } catch (error) {
    for (const step of undo.reverse()) await step().catch((cause: unknown) => context.log.warn('cannot undo a creation', { id, error: cause }));
    throw error;
  } finally {
    set.releaseName(name);
  }
  return { Id: id, Warnings: hostWarnings(given, context.host) };
}

function findImage(context: ContainerContext, name: string, platform: string): Image {
  if (name === '') throw new Fault('invalid', 'no image specified');
  const image = context.images.get(name);
  if (!image) throw new Fault('not-found', `No such image: ${withTag(name)}`);
  checkPlatforms(image, name, [platform]);
  return image;
}

/** `redis` as `redis:latest`, as the CLI expects the name in what makes it pull. */
function withTag(name: string): string {
  try {
    const full = familiar(name);
    return /[:@]/.test(full.slice(full.lastIndexOf('/') + 1)) ? full : `${full}:latest`;
  } catch {
    return name;
  }
}

/** The networks to join, by the names that were asked for; the CLI's `default` is `bridge`. */
function wantedEndpoints(host: HostConfig, request: CreateRequest): Record<string, EndpointSettings> {
  const mode = host.NetworkMode ?? 'bridge';
  const asked = Object.entries(request.NetworkingConfig?.EndpointsConfig ?? {});
  if (mode === 'host' || mode === 'none' || otherOf(mode) !== undefined) return {};
  const result: Record<string, EndpointSettings> = { [mode]: {} };
  for (const [key, settings] of asked) {
    checkEndpoint(key, settings ?? {});
    result[key === 'default' ? 'bridge' : key] = settings ?? {};
  }
  checkMac(request.MacAddress ?? '');
  if (request.MacAddress && !result[mode]?.MacAddress) result[mode] = { ...result[mode], MacAddress: request.MacAddress };
  return result;
}

/** The mounts of the containers of `--volumes-from name[:ro]`. */
function inheritedMounts(context: ContainerContext, host: HostConfig): MountRecord[] {
  return (host.VolumesFrom ?? []).flatMap((entry) => {
    const at = entry.lastIndexOf(':');
    const mode = at < 0 ? '' : entry.slice(at + 1);
    if (!['', 'ro', 'rw', 'z', 'Z'].includes(mode)) throw new Fault('invalid', `invalid mode: ${mode}`);
    const from = mustExist(context, at < 0 ? entry : entry.slice(0, at));
    return from.mounts.filter((m) => m.type !== 'tmpfs').map((m) => ({ ...m, anonymous: false, readOnly: m.readOnly || mode === 'ro' }));
  });
}

/** Containers that this one is to share something with must be there. */
function checkReferences(context: ContainerContext, host: HostConfig): void {
  for (const mode of [host.NetworkMode, host.IpcMode, host.PidMode]) {
    const other = otherOf(mode);
    if (other !== undefined) mustExist(context, other);
  }
}

/** Not `not-found`: clients take that for the image, and pull it. */
function mustExist(context: ContainerContext, reference: string): ContainerRecord {
  const found = context.set.find(reference);
  if (!found) throw new Fault('invalid', `No such container: ${reference}`);
  return found;
}

async function makeMounts(context: ContainerContext, id: string, plans: readonly MountPlan[], image: Image, undo: (() => Promise<unknown>)[]): Promise<MountRecord[]> {
  const mounts: MountRecord[] = [];
  for (const plan of plans) {
    const { noCopy, makeSource, volumeDriver: _driver, volumeOptions: _options, volumeLabels: _labels, ...mount } = plan;
    if (mount.type === 'bind') await checkBind(mount, makeSource);
    if (mount.type === 'volume') mount.volume = await makeVolume(context, id, plan, undo);
    if (mount.volume !== undefined && !noCopy && !mount.subpath) await copyUp(context, image, mount.volume, mount.target);
    mounts.push(mount);
  }
  return mounts;
}

async function checkBind(mount: MountRecord, makeSource: boolean): Promise<void> {
  const source = mount.source ?? '';
  try {
    await stat(source);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
    if (!makeSource) throw new Fault('invalid', `invalid mount config for type "bind": bind source path does not exist: ${source}`);
    await mkdir(source, { recursive: true });
  }
}

async function makeVolume(context: ContainerContext, id: string, plan: MountPlan, undo: (() => Promise<unknown>)[]): Promise<string> {
  const { volumes, events } = context;
  const existing = plan.volume === undefined ? undefined : volumes.get(plan.volume);
  const volume =
    existing ??
    (await volumes.create({
      ...(plan.volume === undefined ? {} : { name: plan.volume }),
      driver: plan.volumeDriver || 'local',
      options: plan.volumeOptions ?? {},
      labels: { ...plan.volumeLabels, ...(plan.anonymous ? { [anonymousLabel]: '' } : {}) },
    }));
  if (!existing) {
    events.emit('volume', 'create', volume.name, { driver: volume.driver });
    undo.push(() => volumes.remove(volume.name, { force: true }));
  }
  await volumes.use(volume.name, id);
  undo.push(() => volumes.release(volume.name, id));
  return volume.name;
}

/** An empty volume gets what the image has at its place. */
async function copyUp(context: ContainerContext, image: Image, volume: string, target: string): Promise<void> {
  await context.snapshots.view(image.chain, async (root) => {
    const source = await resolveInRoot(root, target);
    const found = await stat(source).catch(() => undefined);
    if (found?.isDirectory()) await context.volumes.populate(volume, source);
  });
}
