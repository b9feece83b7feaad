/** What an instance has in the kernel and on its disk, to compare before and after. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** Descriptors that come for a while: both ends of idle connections, which are kept two minutes, and those of threads. */
const looseSockets = 48;
const looseOthers = 24;

export interface Holdings {
  things: string[];
  descriptors: string[];
}

export function holdingsOf(root: string, pid: number): Holdings {
  const instance = createHash('sha256').update(root).digest('hex').slice(0, 6);
  const things = [
    ...readFileSync('/proc/self/mounts', 'utf8').split('\n').filter((line) => line.includes(root)).map((line) => `mount ${line.split(' ')[1]}`),
    ...readdirSync('/sys/class/net').filter((name) => name.includes(instance)).map((name) => `link ${name}`),
    ...rules(instance),
    ...cgroups(instance),
    ...processes(root),
    ...files(root),
  ];
  return { things: things.sort(), descriptors: descriptorsOf(pid) };
}

export function assertSame(before: Holdings, after: Holdings): void {
  const [had, has] = [new Set(before.things), new Set(after.things)];
  assert.deepEqual(after.things.filter((thing) => !had.has(thing)), [], 'these were left');
  assert.deepEqual(before.things.filter((thing) => !has.has(thing)), [], 'these went');
  const more = difference(before.descriptors, after.descriptors);
  const sockets = more.filter((descriptor) => descriptor.startsWith('socket:'));
  assert.ok(sockets.length <= looseSockets && more.length - sockets.length <= looseOthers, `${more.length} more descriptors: ${more.join(' ')}`);
}

function difference(before: readonly string[], after: readonly string[]): string[] {
  const left = [...before];
  return after.filter((one) => {
    const at = left.indexOf(one);
    if (at >= 0) left.splice(at, 1);
    return at < 0;
  });
}

/** Chains that spread connections over so many backends: they stay for the next Service of as many. */
const spreading = /chain (node_)?(sticky_)?pick_\d+ \{[^}]*\}/g;
/** Where the cluster's DNS server listens: another port at each start. */
const ownPort = /(0x67000000 : [\d.]+ \. )\d+$/;

/** Elements of sets and maps, without what counts. */
function rules(instance: string): string[] {
  const text = (...args: string[]): string => execFileSync('nft', args, { encoding: 'utf8' });
  const tables = text('list', 'tables').split('\n').filter((line) => line.includes(instance));
  return tables.flatMap((line) => {
    const [, family = '', name = ''] = line.split(' ');
    const body = text('-n', 'list', 'table', family, name).replace(/packets \d+ bytes \d+/g, '').replace(/expires \w+/g, '');
    return body.replace(spreading, '').split(/[\n,]/).map((rule) => `rule ${name} ${rule.trim().replace(ownPort, '$1')}`);
  });
}

function cgroups(instance: string): string[] {
  const tops = ['/sys/fs/cgroup', ...readdirSync('/sys/fs/cgroup').map((name) => join('/sys/fs/cgroup', name))];
  return tops.map((top) => join(top, `gantry-${instance}`)).filter((path) => existsSync(path)).flatMap((path) => directories(path).map((d) => `cgroup ${d}`));
}

function directories(path: string): string[] {
  return [path, ...readdirSync(path, { withFileTypes: true }).filter((e) => e.isDirectory()).flatMap((e) => directories(join(path, e.name)))];
}

function processes(root: string): string[] {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).flatMap((pid) => {
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
      return words.includes(root) && Number(pid) !== process.pid ? [`process ${words}`] : [];
    } catch {
      return [];
    }
  });
}

/**
 * Not what the daemon writes all the time, nor blobs: of a build or a pull that was cut off they are kept a day, for the next try
 * (`unneededMs` in core/images/collect.ts). Layers count.
 */
const changing = /^(runtime\/content\/blobs\/sha256\/\w+|run\/daemon\.log.*|run\/daemon\.json|bb-context|cluster\/store|runtime\/records|engine\/events.*)(\/|$)/;

function files(root: string, below = ''): string[] {
  return readdirSync(join(root, below), { withFileTypes: true }).flatMap((entry) => {
    const path = below === '' ? entry.name : `${below}/${entry.name}`;
    if (changing.test(path)) return [];
    const own = `file ${path}`;
    // what an image holds is not looked into, and a mount is not crossed
    const isDeep = entry.isDirectory() && path.split('/').length < 6 && statSync(join(root, path), { throwIfNoEntry: false })?.dev === statSync(root).dev;
    return isDeep ? [own, ...files(root, path)] : [own];
  });
}

function descriptorsOf(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/${pid}/fd/${fd}`).replace(/\[\d+\]/, '')];
    } catch {
      return [];
    }
  });
}
