/** Binds, `--mount`, tmpfs and volumes of a creation, as one list of mounts. Pure: volumes are made by `create`. */
import { posix } from 'node:path';
import type { HostConfig, MountRequest } from '#api/docker/host-config.ts';
import type { ContainerConfig } from '#api/oci/image.ts';
import { Fault } from '#lib/errors.ts';
import type { MountRecord } from './record.ts';

/** A mount before its volume exists. */
export interface MountPlan extends MountRecord {
  /** Leave an empty volume as it is. */
  noCopy: boolean;
  /** Make the bind's missing source a directory. */
  makeSource: boolean;
  volumeDriver?: string;
  volumeOptions?: Record<string, string>;
  volumeLabels?: Record<string, string>;
}

const propagations = ['private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave'];
const consistencies = ['consistent', 'cached', 'delegated', 'default'];
const volumeName = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;

/** Mounts in the order of their targets' depth. `inherited`: those of `VolumesFrom`, which later ones replace. */
export function planMounts(config: ContainerConfig, host: HostConfig, inherited: readonly MountRecord[]): MountPlan[] {
  const asked = [...(host.Binds ?? []).map(parseBind), ...(host.Mounts ?? []).map(parseMount), ...tmpfsMounts(host.Tmpfs ?? {})];
  const byTarget = new Map<string, MountPlan>();
  for (const mount of inherited) byTarget.set(mount.target, { ...mount, noCopy: true, makeSource: false });
  const seen = new Set<string>();
  for (const mount of asked) {
    if (seen.has(mount.target)) throw new Fault('invalid', `Duplicate mount point: ${mount.target}`);
    seen.add(mount.target);
    byTarget.set(mount.target, mount);
  }
  for (const target of Object.keys(config.Volumes ?? {})) {
    const clean = checkTarget(target, target);
    if (!byTarget.has(clean)) byTarget.set(clean, { ...plain('volume', clean), anonymous: true });
  }
  const depth = (mount: MountPlan): number => mount.target.split('/').length;
  return [...byTarget.values()].sort((a, b) => depth(a) - depth(b));
}

function plain(type: MountRecord['type'], target: string): MountPlan {
  return { type, target, readOnly: false, propagation: '', mode: '', noCopy: false, makeSource: false };
}

function checkTarget(target: string, spec: string): string {
  const clean = posix.normalize(target).replace(/(.)\/$/, '$1');
  if (!clean.startsWith('/')) throw new Fault('invalid', `invalid volume specification: '${spec}': mount path must be absolute`);
  if (clean === '/') throw new Fault('invalid', `invalid volume specification: '${spec}': destination can't be '/'`);
  return clean;
}

/** `source:target[:options]`, `name:target[:options]`, or `target` alone. */
export function parseBind(spec: string): MountPlan {
  const parts = spec.split(':');
  const invalid = (why: string): Fault => new Fault('invalid', `invalid volume specification: '${spec}': ${why}`);
  if (parts.length > 3 || parts.some((part) => part === '')) throw invalid('it must be source:target[:options]');
  if (parts.length === 1) return { ...plain('volume', checkTarget(parts[0] ?? '', spec)), anonymous: true };
  const [source = '', target = '', mode = ''] = parts;
  const mount = plain(source.startsWith('/') ? 'bind' : 'volume', checkTarget(target, spec));
  if (mount.type === 'bind') Object.assign(mount, { source: posix.normalize(source), makeSource: true });
  else if (volumeName.test(source)) mount.volume = source;
  else throw new Fault('invalid', `${source} includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path`);
  return applyMode(mount, mode, invalid);
}

function applyMode(mount: MountPlan, mode: string, invalid: (why: string) => Fault): MountPlan {
  mount.mode = mode;
  for (const word of mode.split(',').filter((w) => w !== '')) {
    if (word === 'ro') mount.readOnly = true;
    else if (word === 'nocopy' && mount.type === 'volume') mount.noCopy = true;
    else if (propagations.includes(word) && mount.type === 'bind') mount.propagation = word;
    // labels need SELinux, which is not here; the consistencies mean something on macOS alone
    else if (word !== 'rw' && word !== 'z' && word !== 'Z' && !consistencies.includes(word)) throw invalid(`invalid mode: ${mode}`);
  }
  return mount;
}

function parseMount(request: MountRequest): MountPlan {
  const invalid = (why: string): Fault => new Fault('invalid', `invalid mount config for type "${request.Type ?? ''}": ${why}`);
  if (!request.Target) throw invalid('field Target must not be empty');
  const type = request.Type;
  if (type !== 'bind' && type !== 'volume' && type !== 'tmpfs') {
    if (type === 'image') throw new Fault('not-implemented', 'mounts of type image are not implemented by Gantry');
    throw new Fault('invalid', `mount type unknown: "${type ?? ''}"`);
  }
  if (type !== 'bind' && request.BindOptions) throw invalid('field BindOptions must not be specified');
  if (type !== 'volume' && request.VolumeOptions) throw invalid('field VolumeOptions must not be specified');
  if (type !== 'tmpfs' && request.TmpfsOptions) throw invalid('field TmpfsOptions must not be specified');
  if (request.ImageOptions) throw invalid('field ImageOptions must not be specified');
  if (request.ClusterOptions) throw invalid('field ClusterOptions must not be specified');
  const mount = { ...plain(type, checkTarget(request.Target, request.Target)), readOnly: request.ReadOnly ?? false };
  if (type === 'bind') return bindMount(mount, request, invalid);
  if (type === 'volume') return volumeMount(mount, request, invalid);
  if (request.Source) throw invalid('field Source must not be specified');
  return { ...mount, tmpfs: tmpfsWords(request, invalid) };
}

function bindMount(mount: MountPlan, request: MountRequest, invalid: (why: string) => Fault): MountPlan {
  const options = request.BindOptions ?? {};
  if (!request.Source) throw invalid('field Source must not be empty');
  if (!request.Source.startsWith('/')) throw invalid(`invalid mount path: '${request.Source}' mount path must be absolute`);
  const propagation = options.Propagation ?? '';
  if (propagation !== '' && !propagations.includes(propagation)) throw invalid(`invalid propagation mode: ${propagation}`);
  if (options.ReadOnlyNonRecursive && options.ReadOnlyForceRecursive) throw invalid('fields ReadOnlyNonRecursive and ReadOnlyForceRecursive must not both be set');
  if (options.ReadOnlyForceRecursive && !['', 'rprivate'].includes(propagation)) throw invalid('ReadOnlyForceRecursive needs the propagation rprivate');
  return {
    ...mount,
    source: posix.normalize(request.Source),
    propagation,
    ...(options.NonRecursive ? { nonRecursive: true } : {}),
    ...(options.ReadOnlyNonRecursive ? { readOnlyNonRecursive: true } : {}),
    makeSource: options.CreateMountpoint ?? false,
  };
}

function volumeMount(mount: MountPlan, request: MountRequest, invalid: (why: string) => Fault): MountPlan {
  const options = request.VolumeOptions ?? {};
  const subpath = options.Subpath ?? '';
  if (request.Source && !volumeName.test(request.Source)) throw invalid(`${request.Source} includes invalid characters for a volume name`);
  if (subpath !== '' && !request.Source) throw invalid('must not set Subpath when using anonymous volumes');
  if (subpath.startsWith('/') || subpath.split('/').includes('..')) throw invalid('Subpath must be a relative path within the volume');
  return {
    ...mount,
    ...(request.Source ? { volume: request.Source } : { anonymous: true }),
    ...(subpath === '' ? {} : { subpath }),
    noCopy: options.NoCopy ?? false,
    volumeDriver: options.DriverConfig?.Name,
    volumeOptions: options.DriverConfig?.Options,
    volumeLabels: options.Labels,
  };
}

function tmpfsWords(request: MountRequest, invalid: (why: string) => Fault): string[] {
  const { SizeBytes, Mode, Options } = request.TmpfsOptions ?? {};
  if ((SizeBytes ?? 0) < 0) throw invalid('TmpfsOptions.SizeBytes must not be negative');
  return [
    ...defaultTmpfs,
    ...(SizeBytes ? [`size=${SizeBytes}`] : []),
    ...(Mode ? [`mode=${Mode.toString(8)}`] : []),
    ...checkTmpfs((Options ?? []).map((pair) => pair.join('='))),
    ...(request.ReadOnly ? ['ro'] : []),
  ];
}

const defaultTmpfs = ['noexec', 'nosuid', 'nodev'];
const tmpfsRule = /^(ro|rw|exec|noexec|suid|nosuid|dev|nodev|sync|async|dirsync|remount|mand|nomand|atime|noatime|diratime|nodiratime|bind|rbind|(r?(private|shared|slave|unbindable))|(size|mode|uid|gid|nr_inodes|nr_blocks|mpol)=.+)$/;

function checkTmpfs(words: string[]): string[] {
  for (const word of words) {
    if (!tmpfsRule.test(word)) throw new Fault('invalid', `invalid tmpfs option ["${word}"]`);
  }
  return words;
}

function tmpfsMounts(tmpfs: Readonly<Record<string, string>>): MountPlan[] {
  return Object.entries(tmpfs).map(([target, options]) => {
    const words = checkTmpfs(options.split(',').filter((w) => w !== ''));
    const positive = (word: string): string => word.replace(/^no/, '');
    const kept = defaultTmpfs.filter((word) => !words.includes(positive(word)));
    return { ...plain('tmpfs', checkTarget(target, target)), mode: options, tmpfs: [...kept, ...words], readOnly: words.includes('ro') };
  });
}
