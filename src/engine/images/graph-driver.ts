/** `GraphDriver` of inspect: the directories on the host, as the overlay2 driver tells them. */
import type { SnapshotDirectories } from '#core/snapshots/types.ts';

export interface GraphDriver {
  Name: string;
  Data: Record<string, string> | null;
}

export function graphDriver(directories: SnapshotDirectories | undefined): GraphDriver {
  if (!directories) return { Name: 'overlay2', Data: null };
  const { lower, upper, merged, work } = directories;
  const data = { LowerDir: lower.join(':'), MergedDir: merged, UpperDir: upper, WorkDir: work };
  return { Name: 'overlay2', Data: Object.fromEntries(Object.entries(data).filter((entry): entry is [string, string] => Boolean(entry[1]))) };
}
