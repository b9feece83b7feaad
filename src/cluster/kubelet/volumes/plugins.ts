/** The kinds of volumes that this node has. One plugin a source, in one list. */
import { chmodSync, chownSync, existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { quantityValue } from '#api/kube/quantity.ts';
import { Fault } from '#lib/errors.ts';
import { writeVolumeFiles } from './files.ts';
import { projectedFiles } from './projected.ts';
import { configMapFiles, defaultFileMode, downwardFiles, secretFiles } from './sources.ts';
import type { VolumeContext, VolumeFile, VolumePlugin } from './types.ts';

export const volumePlugins: readonly VolumePlugin[] = [
  ofFiles('configMap', (context) => {
    const source = context.volume.configMap!;
    return configMapFiles(context, { name: source.name ?? '', items: source.items, optional: source.optional, mode: source.defaultMode ?? defaultFileMode });
  }),
  ofFiles('secret', (context) => {
    const source = context.volume.secret!;
    return secretFiles(context, { name: source.secretName ?? '', items: source.items, optional: source.optional, mode: source.defaultMode ?? defaultFileMode });
  }),
  ofFiles('downwardAPI', (context) => {
    const source = context.volume.downwardAPI!;
    return Promise.resolve(downwardFiles(context, source.items ?? [], source.defaultMode ?? defaultFileMode));
  }),
  ofFiles('projected', projectedFiles),
  { source: 'emptyDir', setUp: setUpEmptyDir },
  { source: 'hostPath', setUp: setUpHostPath },
];

/** A volume whose files are made of data. */
function ofFiles(source: VolumePlugin['source'], read: (context: VolumeContext) => Promise<VolumeFile[]>): VolumePlugin {
  const write = async (context: VolumeContext): Promise<void> => {
    writeVolumeFiles(context.directory, await read(context), context.pod.spec.securityContext?.fsGroup);
  };
  return {
    source,
    setUp: async (context) => {
      await write(context);
      return context.directory;
    },
    refresh: write,
  };
}

function setUpEmptyDir({ node, pod, volume, directory }: VolumeContext): Promise<string> {
  const { medium = '', sizeLimit } = volume.emptyDir!;
  if (medium !== '' && medium !== 'Memory') throw new Fault('not-implemented', `emptyDir medium ${medium} is not supported; use Memory or none`);
  const { mounts } = node.core.kernel;
  if (medium === 'Memory' && !mounts.list().some((entry) => entry.target === directory)) {
    mounts.mount('tmpfs', directory, 'tmpfs', ['mode=777', ...(sizeLimit ? [`size=${quantityValue(sizeLimit)}`] : [])]);
  }
  chmodSync(directory, 0o777);
  const group = pod.spec.securityContext?.fsGroup;
  if (group !== undefined) {
    chownSync(directory, 0, group);
    chmodSync(directory, 0o2777);
  }
  return Promise.resolve(directory);
}

const hostPathChecks: Record<string, (stat: Stats) => boolean> = {
  Directory: (stat) => stat.isDirectory(),
  File: (stat) => stat.isFile(),
  Socket: (stat) => stat.isSocket(),
  CharDevice: (stat) => stat.isCharacterDevice(),
  BlockDevice: (stat) => stat.isBlockDevice(),
  DirectoryOrCreate: (stat) => stat.isDirectory(),
  FileOrCreate: (stat) => stat.isFile(),
};

function setUpHostPath({ volume }: VolumeContext): Promise<string> {
  const { path, type = '' } = volume.hostPath!;
  if (!existsSync(path)) {
    // Without a type Docker's way: a directory is made.
    if (type === 'DirectoryOrCreate' || type === '') mkdirSync(path, { recursive: true, mode: 0o755 });
    else if (type === 'FileOrCreate') writeFileSync(path, '', { mode: 0o644 });
  }
  const check = hostPathChecks[type];
  if (type !== '' && !check) throw new Fault('invalid', `hostPath type ${type} is unknown`);
  if (check && !(existsSync(path) && check(statSync(path)))) {
    throw new Fault('precondition', `hostPath type check failed: ${path} is not a ${type.toLowerCase()}`, { details: { reason: 'FailedMount' } });
  }
  return Promise.resolve(path);
}
