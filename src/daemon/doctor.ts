import { accessSync, constants, existsSync, statfsSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { release } from 'node:os';
import { parseRoot } from './config.ts';
import { readOr } from './ending.ts';

interface Check {
  name: string;
  /** What was found; `mend` says what to do where it is not good enough. */
  look(root: string): { found: string; mend?: string };
}

const leastKernel = [5, 15] as const;
const leastFreeBytes = 2 * 2 ** 30;

/** What the host must have, in the order in which it matters. */
const checks: readonly Check[] = [
  { name: 'root', look: () => (process.getuid?.() === 0 ? { found: 'yes' } : { found: 'no', mend: 'run with sudo' }) },
  { name: 'kernel', look: kernelVersion },
  { name: 'cgroups', look: cgroups },
  ...(['overlay', 'nf_tables'] as const).map((name): Check => ({ name, look: () => kernelFeature(name) })),
  { name: 'crun', look: () => program('crun') },
  { name: 'conmon', look: () => program('conmon') },
  { name: 'libnftables', look: libnftables },
  { name: 'disk', look: disk },
];

/** Prints what the host has and lacks; 1 where something must be mended. */
export async function doctor(args: readonly string[]): Promise<number> {
  const { root } = parseRoot(args, process.env, {});
  let bad = 0;
  for (const check of checks) {
    const { found, mend } = check.look(root);
    if (mend !== undefined) bad++;
    process.stdout.write(`${mend === undefined ? 'ok  ' : 'MEND'}  ${check.name.padEnd(12)} ${found}${mend === undefined ? '' : `: ${mend}`}\n`);
  }
  process.stdout.write(bad === 0 ? 'This host can run Gantry.\n' : `${bad} to mend.\n`);
  return bad === 0 ? 0 : 1;
}

function kernelVersion(): { found: string; mend?: string } {
  const [major = 0, minor = 0] = release().split('.').map(Number);
  const enough = major > leastKernel[0] || (major === leastKernel[0] && minor >= leastKernel[1]);
  return enough ? { found: release() } : { found: release(), mend: `Gantry needs ${leastKernel.join('.')} or newer` };
}

function cgroups(): { found: string; mend?: string } {
  if (existsSync('/sys/fs/cgroup/cgroup.controllers')) return { found: 'v2' };
  if (existsSync('/sys/fs/cgroup/memory')) return { found: 'v1' };
  return { found: 'none mounted', mend: 'mount -t cgroup2 none /sys/fs/cgroup' };
}

function kernelFeature(name: 'overlay' | 'nf_tables'): { found: string; mend?: string } {
  const present = name === 'overlay' ? /\boverlay$/m.test(readOr('/proc/filesystems')) : existsSync('/proc/net/netfilter') || existsSync('/proc/sys/net/netfilter');
  const loadable = existsSync(`/lib/modules/${release()}`);
  if (present) return { found: 'in the kernel' };
  return loadable ? { found: 'loaded when needed' } : { found: 'not seen', mend: `modprobe ${name}` };
}

function program(name: string): { found: string; mend?: string } {
  for (const directory of (process.env.PATH ?? '').split(delimiter)) {
    const path = join(directory, name);
    try {
      accessSync(path, constants.X_OK);
      return { found: path };
    } catch {
      // not in this one
    }
  }
  return { found: 'missing', mend: `apt-get install ${name}` };
}

function libnftables(): { found: string; mend?: string } {
  const places = ['/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu', '/usr/lib64', '/usr/lib', '/lib'];
  const found = places.map((p) => join(p, 'libnftables.so.1')).find((p) => existsSync(p));
  return found ? { found } : { found: 'missing', mend: 'apt-get install libnftables1' };
}

function disk(root: string): { found: string; mend?: string } {
  let place = root;
  while (!existsSync(place)) place = dirname(place);
  const { bavail, bsize } = statfsSync(place);
  const free = bavail * bsize;
  const found = `${(free / 2 ** 30).toFixed(1)} GiB free in ${place}`;
  return free >= leastFreeBytes ? { found } : { found, mend: 'images need room: free some, or use --root on another disk' };
}
