/** docker diff, and the layer of a commit: what a container changed, without what the engine itself put there. */
import type { FilesystemChange } from '#api/docker/containers.ts';
import type { SnapshotChange } from '#core/snapshots/types.ts';
import type { ContainerContext } from './context.ts';
import { etcNames } from './etc-files.ts';
import type { ContainerRecord } from './record.ts';

const kinds = { modified: 0, added: 1, deleted: 2 } as const;

/** Mount points that the runtime makes in every root. */
const enginePaths = [...etcNames.map((name) => `/etc/${name}`), '/etc/mtab', '/.dockerenv', '/dev', '/proc', '/sys', '/sbin/docker-init'];

export async function changesOf(context: ContainerContext, record: ContainerRecord): Promise<FilesystemChange[] | null> {
  const changes = ownChanges(record, await context.snapshots.changes(record.id));
  return changes.length === 0 ? null : changes.map(({ path, kind }) => ({ Path: path, Kind: kinds[kind] }));
}

/** Takes out added mount points, and directories that changed for no other reason. */
export function ownChanges(record: Pick<ContainerRecord, 'mounts'>, changes: readonly SnapshotChange[]): SnapshotChange[] {
  const engine = [...enginePaths, ...record.mounts.map((mount) => mount.target)];
  const isEngine = (change: SnapshotChange): boolean =>
    change.kind !== 'deleted' && engine.some((path) => change.path === path || (change.path.startsWith(`${path}/`) && change.kind === 'added'));
  const kept = changes.filter((change) => !isEngine(change));
  const dropped = changes.filter(isEngine);
  const hasChild = (list: readonly SnapshotChange[], path: string): boolean => list.some((c) => c.path.startsWith(path === '/' ? '/' : `${path}/`) && c.path !== path);
  return kept.filter((change) => !(hasChild(dropped, change.path) && !hasChild(kept, change.path) && change.kind !== 'deleted'));
}
