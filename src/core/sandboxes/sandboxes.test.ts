import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { systemClock } from '#lib/clock.ts';
import { isFault } from '#lib/errors.ts';
import { silentLogger } from '#lib/log.ts';
import { openTestBed, whyNoContainers } from '#core/containers/testing.ts';
import type { TestBed } from '#core/containers/testing.ts';
import { openSandboxes } from './open.ts';
import type { Sandboxes } from './types.ts';

describe('sandboxes', { skip: whyNoContainers() }, () => {
  let bed: TestBed;
  let root: string;
  let sandboxes: Sandboxes;
  const open = () => openSandboxes({ root, kernel: bed.kernel, records: bed.records, clock: systemClock, log: silentLogger });
  before(async () => {
    bed = await openTestBed();
    root = join(bed.directory, 'sandboxes');
    sandboxes = await open();
  });
  after(async () => {
    for (const { id } of sandboxes.list()) await sandboxes.remove(id);
    await sandboxes.close();
    await bed.end();
  });

  it('gives the containers of a pod the same namespaces, memory and name', async () => {
    const sandbox = await sandboxes.create({
      id: 'pod', owner: 'kubelet', hostname: 'box', labels: { a: 'b' },
      namespaces: ['net', 'ipc', 'uts'], sysctls: { 'net.ipv4.ip_forward': '0', 'kernel.shm_rmid_forced': '1' }, shmSize: 1 << 20,
    });
    assert.deepEqual(sandboxes.get('pod'), sandbox);
    assert.deepEqual(sandboxes.list({ owner: 'docker' }), []);
    const namespaces = { net: sandbox.netPath, ipc: sandbox.ipcPath, uts: sandbox.utsPath };
    const shm = { type: 'bind' as const, source: sandbox.shmPath!, target: '/dev/shm', options: ['rbind'] };
    const script = 'hostname; for n in net ipc uts; do readlink /proc/self/ns/$n; done; cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shm_rmid_forced; echo $0 >> /dev/shm/seen; cat /dev/shm/seen | wc -l; ip addr show lo | grep -c "inet 127.0.0.1"';
    const printed: string[] = [];
    for (const id of ['one', 'two']) {
      await bed.containers.create(bed.spec(id, ['sh', '-c', script], { namespaces, mounts: [shm] }));
      await bed.containers.start(id);
      await bed.containers.wait(id);
      printed.push(readFileSync(`${bed.directory}/${id}.log`, 'utf8').replaceAll(/^\S+ \S+ . /gm, ''));
      await bed.containers.remove(id);
    }
    const [first, second] = printed.map((text) => text.trim().split('\n'));
    assert.deepEqual([first![0], ...first!.slice(4)], ['box', '0', '0', '1', '1', '1']);
    assert.deepEqual(second!.slice(0, 4), first!.slice(0, 4));
    assert.equal(second![7], '2');
    assert.equal(first![1], `net:[${statSync(sandbox.netPath!).ino}]`);
    await assert.rejects(sandboxes.create({ id: 'pod', owner: 'x', namespaces: [] }), (error) => isFault(error, 'already-exists'));
    const ofHost = { id: 'host', owner: 'x', namespaces: ['net' as const], sysctls: { 'kernel.shm_rmid_forced': '1' } };
    await assert.rejects(sandboxes.create(ofHost), /would change the host/);
    await assert.rejects(sandboxes.create({ ...ofHost, namespaces: ['net', 'ipc'], sysctls: { 'kernel.panic': '1' } }), (error) => isFault(error, 'invalid'));
  });

  it('is found again by the next daemon, with what the host lost made anew and strays removed', async () => {
    const before = statSync(sandboxes.get('pod')!.netPath!).ino;
    mkdirSync(join(root, 'stray'));
    bed.kernel.namespaces.pin('net', join(root, 'stray/net'));
    bed.kernel.namespaces.unpin(sandboxes.get('pod')!.utsPath!);
    sandboxes = await open();
    assert.equal(statSync(sandboxes.get('pod')!.netPath!).ino, before);
    assert.ok(bed.kernel.namespaces.isPinned(sandboxes.get('pod')!.utsPath!));
    assert.equal(existsSync(join(root, 'stray')), false);
  });

  it('is made again at once under the name of one that is going', async () => {
    const spec = { id: 'again', owner: 'x', namespaces: ['net', 'ipc'] as const };
    const first = await sandboxes.create(spec);
    const before = statSync(first.netPath!).ino;
    await sandboxes.remove('again');
    const second = await sandboxes.create(spec);
    assert.equal(second.netPath, first.netPath);
    assert.notEqual(statSync(second.netPath!).ino, before);
    assert.ok(bed.kernel.namespaces.isPinned(second.netPath!));
    assert.ok(bed.kernel.mounts.list().some((entry) => entry.target === second.shmPath));
    await sandboxes.remove('again');
  });

  it('leaves nothing', async () => {
    await sandboxes.remove('pod');
    await sandboxes.remove('pod');
    assert.equal(sandboxes.get('pod'), undefined);
    await sandboxes.close();
    assert.deepEqual(readdirSync(root), []);
    assert.equal(bed.kernel.mounts.list().some((entry) => entry.target.startsWith(root)), false);
  });
});
