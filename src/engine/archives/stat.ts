/** A path's stat in the form of Docker's archive header. */
import type { BigIntStats } from 'node:fs';
import type { PathStat } from '#api/docker/containers.ts';
import { isoTime } from '#lib/clock.ts';

/** Type bits of Go's FileMode. */
const goMode = {
  directory: 2 ** 31,
  symlink: 2 ** 27,
  device: 2 ** 26,
  fifo: 2 ** 25,
  socket: 2 ** 24,
  setuid: 2 ** 23,
  setgid: 2 ** 22,
  character: 2 ** 21,
  sticky: 2 ** 20,
} as const;

export function goFileMode(stat: BigIntStats): number {
  const mode = Number(stat.mode);
  let result = mode & 0o777;
  if (stat.isDirectory()) result += goMode.directory;
  if (stat.isSymbolicLink()) result += goMode.symlink;
  if (stat.isBlockDevice()) result += goMode.device;
  if (stat.isCharacterDevice()) result += goMode.device + goMode.character;
  if (stat.isFIFO()) result += goMode.fifo;
  if (stat.isSocket()) result += goMode.socket;
  if (mode & 0o4000) result += goMode.setuid;
  if (mode & 0o2000) result += goMode.setgid;
  if (mode & 0o1000) result += goMode.sticky;
  return result;
}

export function pathStat(name: string, stat: BigIntStats, linkTarget: string): PathStat {
  return { name, size: Number(stat.size), mode: goFileMode(stat), mtime: isoTime(Number(stat.mtimeMs)), linkTarget };
}
