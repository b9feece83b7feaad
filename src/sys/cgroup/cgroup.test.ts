import { VirtualClock } from '#lib/clock-virtual.ts';
import { systemClock } from '#lib/clock.ts';
import { isFault } from '#lib/errors.ts';
import { hex, systemRandom } from '#lib/random.ts';
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { fakeMounts } from '../mount/fake.ts';
import { linuxMounts } from '../mount/linux.ts';
import { parseMountInfo } from '../mount/table.ts';
import { linuxProcesses } from '../process/linux.ts';
import { onLinuxAsRoot } from '../testing.ts';
import { fakeCgroups } from './fake.ts';
import type { Layout } from './layout.ts';
import { layoutOf, parseMembership } from './layout.ts';
import { linuxCgroups } from './linux.ts';
import { cgroupsSuite } from './suite.ts';
import { parseBlkio } from './v1.ts';
import { parseIoStat, weightOf } from './v2.ts';

for (const version of [1, 2] as const) {
  cgroupsSuite(`fake v${version}`, () => {
    const alive = new Set<number>();
    let next = 100;
    const start = (): number => {
      alive.add(next);
      return next++;
    };
    const cgroups = fakeCgroups({ version, kill: (pid) => alive.delete(pid), alive: (pid) => alive.has(pid) });
    return { cgroups, name: 'group', start, alive: (pid) => alive.has(pid), release: () => {} };
  });
}

onLinuxAsRoot('cgroups', () =>
  cgroupsSuite('linux', () => {
    const children: ChildProcess[] = [];
    const start = (): number => {
      const child = spawn('sleep', ['60']);
      children.push(child);
      return child.pid ?? 0;
    };
    const cgroups = linuxCgroups({ mounts: linuxMounts(), clock: systemClock });
    return { cgroups, name: `gantry-test-${hex(systemRandom, 4)}`, start, alive: (pid) => linuxProcesses().alive(pid), release: () => children.forEach((child) => child.kill('SIGKILL')) };
  }),
);

onLinuxAsRoot('the unified hierarchy', () => {
  const top = linuxMounts().list().find((mount) => mount.type === 'cgroup2')?.target;
  describe('the unified hierarchy of this kernel', { skip: top === undefined ? 'no cgroup2 is mounted' : false }, () => {
    it('holds, freezes, counts and ends processes', async () => {
      const layout: Layout = { version: 2, hierarchies: [{ controllers: [], path: top ?? '', root: '/', unified: true }] };
      const cgroups = linuxCgroups({ mounts: linuxMounts(), clock: systemClock, layout });
      const processes = linuxProcesses();
      const name = `gantry-test-${hex(systemRandom, 4)}/inner`;
      const child = processes.spawn('sh', ['-c', 'sleep 60 & sleep 60']);
      const pid = child.pid ?? 0;
      try {
        cgroups.addProcess(name, pid);
        assert.deepEqual([cgroups.of(pid), cgroups.processes(name).includes(pid)], [name, true]);
        await cgroups.freeze(name, true);
        assert.notEqual(cgroups.usage(name)?.cpuNanos, undefined);
        await cgroups.remove(name.split('/')[0] ?? '');
        assert.deepEqual(await child.exited, { code: null, signal: 'SIGKILL' });
        assert.equal(cgroups.exists(name), false);
      } finally {
        if (processes.alive(pid)) processes.kill(pid, 9);
        await cgroups.remove(name.split('/')[0] ?? '');
      }
    });
  });
});

describe('the layout of control groups', () => {
  const mounts = (...lines: string[]) => parseMountInfo(lines.map((line, i) => `${i} 1 0:${i} / /sys/fs/cgroup${line}`).join('\n'));
  const unified = () => ['cpu', 'memory'];

  it('is unified where cgroup2 stands alone', () => {
    const layout = layoutOf(mounts(' rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot'), unified);
    assert.deepEqual(layout, { version: 2, hierarchies: [{ controllers: ['cpu', 'memory'], path: '/sys/fs/cgroup', root: '/', unified: true }] });
  });

  it('is v1 on a hybrid host, with each hierarchy once', () => {
    const layout = layoutOf(
      mounts(' rw - tmpfs tmpfs rw', '/unified rw - cgroup2 cgroup2 rw', '/systemd rw - cgroup cgroup rw,xattr,name=systemd', '/cpu,cpuacct rw - cgroup cgroup rw,seclabel,cpu,cpuacct', '/again rw - cgroup cgroup rw,cpu,cpuacct'),
      () => [],
    );
    assert.equal(layout.version, 1);
    assert.deepEqual(layout.hierarchies.map((each) => [each.path, each.controllers]), [
      ['/sys/fs/cgroup/unified', []],
      ['/sys/fs/cgroup/systemd', []],
      ['/sys/fs/cgroup/cpu,cpuacct', ['cpu', 'cpuacct']],
    ]);
  });

  it('tells the groups of a process, with colons in their names', () => {
    const groups = parseMembership('5:cpu,cpuacct:/a:b\n1:name=systemd:/s\n0::/u\n');
    assert.deepEqual([...groups], [['cpu', '/a:b'], ['cpuacct', '/a:b'], ['name=systemd', '/s'], ['', '/u']]);
  });
});

describe('control files', () => {
  it('of block devices are read in both forms', () => {
    assert.deepEqual(parseBlkio('8:0 Read 12\n8:0 Total 12\nTotal 12'), [{ major: 8, minor: 0, op: 'read', value: 12 }, { major: 8, minor: 0, op: 'total', value: 12 }]);
    assert.deepEqual(parseIoStat('254:1 rbytes=3 wbytes=4 rios=9 dbytes=0'), [
      { major: 254, minor: 1, op: 'read', value: 3 },
      { major: 254, minor: 1, op: 'write', value: 4 },
      { major: 254, minor: 1, op: 'discard', value: 0 },
    ]);
    assert.deepEqual(parseIoStat(''), []);
  });

  it('take shares on their own scale', () => assert.deepEqual([2, 1024, 262_144].map(weightOf), [1, 39, 10_000]));
});

/** A directory that looks like a hierarchy. The kernel makes the files of a group; here the test does. */
class Tree {
  top = mkdtempSync(join(tmpdir(), 'gantry-cgroup-'));
  group(name: string, files: Record<string, string>): void {
    mkdirSync(join(this.top, name), { recursive: true });
    for (const [file, text] of Object.entries(files)) writeFileSync(join(this.top, name, file), text);
  }
  read(name: string, file: string): string {
    return readFileSync(join(this.top, name, file), 'utf8');
  }
  cgroups(layout: Layout) {
    return linuxCgroups({ mounts: fakeMounts(), clock: new VirtualClock(), layout, removeDirectory: (path) => rmSync(path, { recursive: true }) });
  }
}

describe('control groups in a tree', () => {
  let tree: Tree;
  beforeEach(() => void (tree = new Tree()));
  afterEach(() => rmSync(tree.top, { recursive: true }));
  const unified = () => tree.cgroups({ version: 2, hierarchies: [{ controllers: ['cpu', 'memory', 'pids'], path: tree.top, root: '/', unified: true }] });

  it('v2: hands controllers down to the group and no further', () => {
    for (const name of ['', 'g', 'g/c']) tree.group(name, { 'cgroup.controllers': 'cpu memory misc', 'cgroup.subtree_control': '', 'cgroup.procs': '' });
    const cgroups = unified();
    cgroups.addProcess('g/c', 42);
    // The file keeps the last of the writes, one for each controller that there is.
    assert.deepEqual(['', 'g', 'g/c'].map((name) => tree.read(name, 'cgroup.subtree_control')), ['+memory', '+memory', '']);
    assert.equal(tree.read('g/c', 'cgroup.procs'), '42');
  });

  it('v2: writes limits in its own words and reads usage', () => {
    tree.group('g', { 'memory.max': '1000', 'memory.swap.max': 'max', 'memory.low': '0', 'cpu.max': 'max 50000', 'cpu.weight': '100', 'pids.max': 'max' });
    const cgroups = unified();
    cgroups.update('g', { memorySwapBytes: 1500, cpuQuota: 20_000, memoryReservation: 500, cpuShares: 1024 });
    cgroups.update('g', { memoryBytes: -1, pids: 7 });
    assert.deepEqual(['memory.max', 'memory.swap.max', 'memory.low', 'cpu.max', 'cpu.weight', 'pids.max'].map((file) => tree.read('g', file)), ['max', '500', '500', '20000 50000', '39', '7']);
    tree.group('g', { 'cpu.stat': 'usage_usec 5\nuser_usec 2\nnr_throttled 3\nthrottled_usec 4', 'memory.current': '99', 'memory.stat': 'anon 1\ninactive_file 30', 'memory.events': 'oom 2\noom_kill 1', 'pids.current': '3' });
    const usage = cgroups.usage('g');
    assert.deepEqual([usage?.cpuNanos, usage?.memoryBytes, usage?.memoryInactiveFile, usage?.oomKills, usage?.pids, usage?.memoryLimit], [5000n, 99, 30, 1, 3, undefined]);
    assert.deepEqual(usage?.throttling, { periods: 0, throttledPeriods: 3, throttledNanos: 4000n });
    assert.throws(() => cgroups.update('g', { cpusetCpus: '0' }), (error) => isFault(error, 'not-implemented') && error.message.includes('cpuset.cpus'));
  });

  it('v2: removes by one word to the kernel, and knows when it is in the way itself', async () => {
    tree.group('g', { 'cgroup.procs': String(2 ** 30), 'cgroup.kill': '' });
    await unified().remove('g');
    assert.equal(unified().exists('g'), false);
    tree.group('g', { 'cgroup.procs': String(process.pid) });
    await assert.rejects(unified().remove('g'), (error) => isFault(error, 'conflict'));
  });

  it('v1: mounts the controllers that nobody mounted, beside the others', () => {
    mkdirSync(join(tree.top, 'proc'));
    writeFileSync(join(tree.top, 'proc/cgroups'), '#subsys_name\thierarchy\tnum_cgroups\tenabled\nmemory\t3\t1\t1\nhugetlb\t0\t1\t1\nrdma\t0\t1\t0\n');
    const mounts = fakeMounts();
    const layout: Layout = { version: 1, hierarchies: [{ controllers: ['memory'], path: join(tree.top, 'memory'), root: '/', unified: false }, { controllers: ['hugetlb'], path: join(tree.top, 'unified'), root: '/', unified: true }] };
    const missing = () => linuxCgroups({ mounts, clock: new VirtualClock(), layout, proc: join(tree.top, 'proc') }).mountMissing();
    assert.deepEqual(missing(), ['hugetlb']);
    assert.deepEqual(mounts.list().map((each) => [each.target, each.type]), [[join(tree.top, 'hugetlb'), 'cgroup']]);
    rmSync(join(tree.top, 'proc/cgroups'));
    assert.deepEqual(missing(), []);
  });

  it('v1: gives a cpuset group what its parent has, and grows memory with swap first', () => {
    for (const controller of ['cpuset', 'memory']) tree.group(controller, { 'cpuset.cpus': '0-3', 'cpuset.mems': '0' });
    tree.group('cpuset/g', { 'cpuset.cpus': '', 'cpuset.mems': '' });
    tree.group('memory/g', { 'memory.limit_in_bytes': '100', 'memory.memsw.limit_in_bytes': '100' });
    const hierarchies = ['cpuset', 'memory'].map((name) => ({ controllers: [name], path: join(tree.top, name), root: '/', unified: false }));
    const cgroups = tree.cgroups({ version: 1, hierarchies });
    cgroups.create('g');
    assert.equal(tree.read('cpuset/g', 'cpuset.cpus'), '0-3');
    cgroups.update('g', { memoryBytes: 200, memorySwapBytes: 400 });
    assert.deepEqual([cgroups.usage('g')?.memoryLimit, tree.read('memory/g', 'memory.memsw.limit_in_bytes')], [200, '400']);
    assert.throws(() => cgroups.update('g', { pids: 1 }), (error) => isFault(error, 'not-implemented') && error.message.includes('pids'));
  });
});
