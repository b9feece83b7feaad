/** What an instance has in the kernel and on its disk, to compare before and after. `agents`: its nodes that are agents. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unneededMs } from '#core/images/collect.ts';
import { openEmbeddedStore } from '#core/store/embedded/store.ts';
import { systemClock } from '#lib/clock.ts';
import { silentLogger } from '#lib/log.ts';
import { agentsOf } from './kills.ts';

const instanceOf = (root: string): string => createHash('sha256').update(root).digest('hex').slice(0, 6);
const homesOf = (root: string, agents: readonly string[]): string[] => [root, ...agents.map((name) => join(root, 'nodes', name))];

export function thingsOf(root: string, agents: readonly string[]): string[] {
  const inNodes = agents.map((name) => [join(root, 'runtime/sandboxes', name, 'net'), instanceOf(join(root, 'nodes', name))] as const);
  return [
    ...readFileSync('/proc/self/mounts', 'utf8').split('\n').filter((line) => line.includes(root)).map((line) => `mount ${line.split(' ')[1]}`),
    ...readdirSync('/sys/class/net').filter((name) => name.includes(instanceOf(root))).map((name) => `link ${name}`),
    ...inNodes.flatMap(([path]) => run('nsenter', `--net=${path}`, 'ip', '-o', 'link').split('\n').filter(Boolean).map((line) => `link ${path} ${line.split(/[:@]/)[1]?.trim()}`)),
    ...rules([], instanceOf(root)),
    ...inNodes.flatMap(([path, instance]) => rules(['nsenter', `--net=${path}`], instance)),
    ...homesOf(root, agents).flatMap((home) => cgroups(instanceOf(home))),
    ...processes(root),
    ...files(root),
  ];
}

export function assertSame(before: readonly string[], after: readonly string[]): void {
  const [had, has] = [new Set(before), new Set(after)];
  assert.deepEqual(after.filter((thing) => !had.has(thing)), [], 'these were left');
  assert.deepEqual(before.filter((thing) => !has.has(thing)), [], 'these went');
}

/** How many descriptors of each kind the daemon and each agent have. */
export function descriptorsOf(root: string): Map<string, number> {
  const names = existsSync(join(root, 'nodes')) ? readdirSync(join(root, 'nodes')) : [];
  const { pid } = JSON.parse(readFileSync(join(root, 'run', 'daemon.json'), 'utf8')) as { pid: number };
  const processes = [['daemon', pid] as const, ...names.flatMap((name) => agentsOf(join(root, 'nodes', name)).map((agent) => [name, agent] as const))];
  const counts = new Map<string, number>();
  for (const [name, process] of processes) {
    for (const fd of readdirSync(`/proc/${process}/fd`)) {
      const kind = `${name} ${kindOf(`/proc/${process}/fd/${fd}`)}`;
      counts.set(kind, (counts.get(kind) ?? 0) + 1);
    }
  }
  return counts;
}

function kindOf(path: string): string {
  try {
    return readlinkSync(path).replace(/\[\d+\]/, '');
  } catch {
    return 'closed meanwhile';
  }
}

/** Fewer may be: what came with the load and is kept for a while. */
export function assertSameDescriptors(before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>): void {
  const more = [...after].filter(([kind, count]) => count > (before.get(kind) ?? 0));
  assert.deepEqual(more.map(([kind, count]) => `${count - (before.get(kind) ?? 0)} more: ${kind}`), []);
}

/** As if all blobs had come longer ago than any is kept for a next try: the next start removes what nothing needs. */
export function ageBlobs(root: string, agents: readonly string[]): void {
  const then = (Date.now() - unneededMs - 3_600_000) / 1000;
  for (const home of homesOf(root, agents)) {
    const directory = join(home, 'runtime/content/blobs/sha256');
    for (const name of readdirSync(directory)) utimesSync(join(directory, name), then, then);
  }
}

/** Keys in the stores, of which no daemon runs. Events end by themselves. */
export async function recordsOf(root: string, agents: readonly string[]): Promise<string[]> {
  const keys: string[] = [];
  for (const directory of [join(root, 'cluster/store'), ...homesOf(root, agents).map((home) => join(home, 'runtime/records'))]) {
    const copy = mkdtempSync(join(tmpdir(), 'gantry-records-'));
    cpSync(directory, copy, { recursive: true });
    const store = await openEmbeddedStore({ directory: copy, durability: 'process', clock: systemClock, log: silentLogger });
    const { entries } = await store.range('', '\uffff', { keysOnly: true });
    await store.close();
    rmSync(copy, { recursive: true });
    keys.push(...entries.map(({ key }) => `record ${directory.slice(root.length)} ${key}`));
  }
  return keys.filter((key) => !key.includes('/events/'));
}

const run = (program: string, ...args: string[]): string => execFileSync(program, args, { encoding: 'utf8' });

/** Chains that spread connections over so many backends: they stay for the next Service of as many. */
const spreading = /chain (node_)?(sticky_)?pick_\d+ \{[^}]*\}/g;
/** Where the cluster's DNS server listens, another port at each start, or the API server, where its port was taken meanwhile. */
const ownPort = /(0x67000000 : [\d.]+ \. )\d+( })?$/;

/** Elements of sets and maps, without what counts. */
function rules(within: readonly string[], instance: string): string[] {
  const text = (...args: string[]): string => {
    const [program = '', ...words] = [...within, 'nft', ...args];
    return run(program, ...words);
  };
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
      return words.includes(root) && Number(pid) !== process.pid ? [`process ${words.replace(/bundle\/\w+/, 'bundle')}`] : [];
    } catch {
      return [];
    }
  });
}

/** Not what is written all the time; stores are looked into by `recordsOf`. */
const changing = /^(nodes\/[^/]+\/)?(run\/(daemon|agent)\.(log.*|json)|bb-context|cluster\/store|runtime\/records|engine\/events.*)(\/|$)/;

function files(root: string, below = ''): string[] {
  return readdirSync(join(root, below), { withFileTypes: true }).flatMap((entry) => {
    const path = below === '' ? entry.name : `${below}/${entry.name}`;
    if (changing.test(path)) return [];
    const own = `file ${path}`;
    // what an image holds is not looked into, and a mount is not crossed
    const isDeep = entry.isDirectory() && path.replace(/^nodes\/[^/]+\//, '').split('/').length < 6 && statSync(join(root, path), { throwIfNoEntry: false })?.dev === statSync(root).dev;
    return isDeep ? [own, ...files(root, path)] : [own];
  });
}
