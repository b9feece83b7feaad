import { Fault } from '#lib/errors.ts';
import { resolve } from 'node:path';
import { parseOptions } from './flags.ts';
import { tablePath, unmountOrder } from './table.ts';
import type { MountEntry, Mounts } from './types.ts';

export interface FakeMounts extends Mounts {
  /** Each call, as text: `mount overlay overlay /x ro`, `unmount /x`. */
  calls: string[];
}

/** A mount table in memory. Targets are not looked for on the disk, unless `exists` says how. */
export function fakeMounts(exists: (path: string) => boolean = () => true): FakeMounts {
  let entries: MountEntry[] = [];
  let nextId = 1;
  const calls: string[] = [];

  const mount: Mounts['mount'] = (source, target, type, options = []) => {
    calls.push(['mount', type || 'none', source, target, options.join(',')].join(' ').trim());
    const path = tablePath(target);
    if (!exists(path)) throw new Fault('not-found', `mount ${source} on ${target}: no such file or directory (ENOENT)`, { details: { errno: 'ENOENT' } });
    const remount = options.includes('remount');
    const onlyPropagation = type === '' && parseOptions(options).flags === 0;
    if (remount || onlyPropagation) {
      const there = entries.findLast((entry) => entry.target === path);
      if (!there) throw new Fault('invalid', `mount ${source} on ${target}: it is not a mount (EINVAL)`, { details: { errno: 'EINVAL' } });
      if (remount) there.options = options.filter((word) => word !== 'remount' && word !== 'bind');
      return;
    }
    const bind = options.includes('bind') || options.includes('rbind');
    const words = options.filter((word) => word !== 'bind' && word !== 'rbind');
    const access = options.includes('ro') || options.includes('rro') ? 'ro' : 'rw';
    entries.push({
      id: nextId++,
      source: bind ? 'none' : source,
      target: path,
      type: bind ? 'none' : type,
      root: bind ? resolve(source) : '/',
      options: [...new Set([access, ...words])],
    });
  };

  const unmount: Mounts['unmount'] = (target) => {
    calls.push(`unmount ${target}`);
    const index = entries.findLastIndex((entry) => entry.target === tablePath(target));
    if (index < 0) throw new Fault('invalid', `unmount ${target}: it is not a mount`, { details: { errno: 'EINVAL' } });
    entries.splice(index, 1);
  };

  const unmountTree: Mounts['unmountTree'] = (directory) => {
    calls.push(`unmount all below ${directory}`);
    const found = unmountOrder(entries, tablePath(directory));
    entries = entries.filter((entry) => !found.includes(entry));
    return found.length;
  };

  return { calls, mount, mountAside: async (...words) => mount(...words), unmount, unmountAside: async (target) => unmount(target), unmountTree, list: () => entries.map((entry) => ({ ...entry, options: [...entry.options] })) };
}
