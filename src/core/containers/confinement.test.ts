import assert from 'node:assert/strict';
import { existsSync, readFileSync, readlinkSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { isFault } from '#lib/errors.ts';
import { hostCapabilities } from './capabilities.ts';
import { openTestBed, whyNoContainers } from './testing.ts';
import type { TestBed } from './testing.ts';
import type { ContainerSpec, ProcessSpec } from './types.ts';

const skip = whyNoContainers();

describe('containers: confinement', { skip }, () => {
  let bed: TestBed;
  let count = 0;
  before(async () => (bed = await openTestBed()));
  after(() => bed.end());

  /** What a shell script prints in a container, trimmed. */
  const print = async (script: string, changes: Partial<ContainerSpec> = {}, process: Partial<ProcessSpec> = {}): Promise<string> => {
    const id = `c${count++}`;
    await bed.containers.create(bed.spec(id, ['sh', '-c', `exec 2>&1; ${script}`], changes, process));
    await bed.containers.start(id);
    await bed.containers.wait(id);
    await bed.containers.remove(id);
    return readFileSync(`${bed.directory}/${id}.log`, 'utf8').replaceAll(/^\S+ \S+ . /gm, '').trim();
  };

  it('gives root Docker’s capabilities, and others none', async () => {
    const root = await print('grep -E "^(Cap|Seccomp:|NoNew)" /proc/self/status');
    assert.equal(root.replaceAll(/\s+/g, ' '), 'CapInh: 0000000000000000 CapPrm: 00000000a80425fb CapEff: 00000000a80425fb CapBnd: 00000000a80425fb CapAmb: 0000000000000000 NoNewPrivs: 0 Seccomp: 2');
    const user = await print('grep -E "^Cap(Eff|Bnd)|^Groups" /proc/self/status; id', {}, { user: { uid: 1000, gid: 1000, additionalGids: [29] }, noNewPrivileges: true });
    assert.match(user, /CapEff:\s+0{16}/);
    assert.match(user, /CapBnd:\s+0{8}a80425fb/);
    assert.match(user, /Groups:\s+29 1000[^]*uid=1000\(app\) gid=1000\(app\)/);
  });

  it('filters system calls, again from the kept filter', async () => {
    for (let i = 0; i < 2; i++) {
      assert.match(await print('mount -t tmpfs none /tmp'), /Operation not permitted|permission denied/);
      assert.equal(await print('grep Seccomp: /proc/self/status'), 'Seccomp:\t2');
    }
    assert.equal(await print('grep Seccomp: /proc/self/status', { seccomp: 'unconfined' }), 'Seccomp:\t0');
    const noMkdir = { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 28 }] };
    assert.match(await print('mkdir /tmp/x', { seccomp: noMkdir }), /No space left/);
  });

  it('masks and write-protects what the kernel tells of the host', async () => {
    const masked = ['/proc/kcore', '/proc/keys', '/proc/timer_list'].filter((path) => existsSync(path));
    assert.equal(await print(`cat ${masked.join(' ')} | wc -c; ls /sys/firmware | wc -l`), '0\n0');
    assert.match(await print('echo 1 > /proc/sys/kernel/hostname'), /Read-only file system/);
    assert.match(await print('echo x > /sys/kernel/x; mkdir /sys/fs/cgroup/x'), /Read-only file system|can't create/);
  });

  it('has the device nodes of Docker and no others', async () => {
    const nodes = (await print('ls /dev')).split('\n');
    assert.deepEqual(nodes, ['core', 'fd', 'full', 'mqueue', 'null', 'ptmx', 'pts', 'random', 'shm', 'stderr', 'stdin', 'stdout', 'tty', 'urandom', 'zero'].filter((name) => name !== 'core' || nodes.includes('core')));
    assert.equal(await print('head -c 3 /dev/zero | wc -c; stat -c %a /dev/shm'), '3\n1777');
  });

  it('passes a device on, and refuses what is none', async () => {
    const nothing = { hostPath: '/dev/nothing-here', path: '/dev/x', access: 'rwm' };
    await assert.rejects(bed.containers.create(bed.spec('dev', ['true'], { devices: [nothing] })), /error gathering device information while adding custom device "\/dev\/nothing-here": no such file or directory/);
    await assert.rejects(bed.containers.create(bed.spec('dev', ['true'], { devices: [{ hostPath: '/dev/null', path: '/dev/x', access: 'q' }] })), (error) => isFault(error, 'invalid'));
    assert.equal(await print('echo 1 > /dev/mine && echo written', { devices: [{ hostPath: '/dev/null', path: '/dev/mine', access: 'rw' }] }), 'written');
  });

  it('has namespaces of its own, or the host’s', async () => {
    assert.equal(await print('hostname; echo $$; ls -d /proc/1 /proc/2 2>/dev/null | head -n 1', { hostname: 'box' }), 'box\n1\n/proc/1');
    assert.equal(await print('for n in net ipc uts; do readlink /proc/self/ns/$n; done', { namespaces: { net: 'host', ipc: 'host', uts: 'host' } }), ['net', 'ipc', 'uts'].map(nsOf).join('\n'));
    assert.notEqual(await print('readlink /proc/self/ns/net'), nsOf('net'));
    assert.equal(await print('cat /proc/sys/net/ipv4/ip_unprivileged_port_start'), '0');
    assert.equal(await print('cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shm_rmid_forced', { sysctls: { 'net.ipv4.ip_forward': '0', 'kernel.shm_rmid_forced': '1' } }), '0\n1');
  });

  it('gives a privileged one what the host has', async () => {
    const bounding = [...hostCapabilities()].length;
    const text = await print('grep -E "^(CapEff|Seccomp:)" /proc/self/status; ls /dev | wc -l; mount -t tmpfs none /tmp && echo mounted', { privileged: true });
    const mask = BigInt(`0x${/CapEff:\s+(\w+)/.exec(text)![1]}`);
    assert.equal(mask.toString(2).replaceAll('0', '').length, bounding);
    assert.match(text, /Seccomp:\s+0/);
    assert.match(text, /mounted/);
  });

  it('mounts what it is told, over the defaults too, and a read-only root', async () => {
    const bind = { type: 'bind' as const, source: `${bed.rootfs}/etc`, target: '/data/etc', options: ['ro'] };
    assert.match(await print('head -n 1 /data/etc/passwd; touch /data/etc/x', { mounts: [bind] }), /^root:x[^]*Read-only file system/);
    const shm = { type: 'tmpfs' as const, target: '/dev/shm', options: ['size=1m', 'mode=700'] };
    assert.equal(await print('stat -c %a /dev/shm; grep -c " /dev/shm " /proc/mounts', { mounts: [shm] }), '700\n1');
    assert.match(await print('touch /x; touch /dev/shm/x && echo shm', { readonlyRootfs: true }), /Read-only file system[^]*shm/);
  });

  it('takes of rlimits and scores what the host allows', async () => {
    assert.equal(await print('ulimit -n; cat /proc/self/oom_score_adj', { oomScoreAdj: 500 }, { rlimits: [{ type: 'RLIMIT_NOFILE', soft: 100, hard: 200 }] }), '100\n500');
    assert.match(await print('ulimit -n', { oomScoreAdj: -900 }, { rlimits: [{ type: 'RLIMIT_NOFILE', soft: 1 << 29, hard: 1 << 29 }] }), /^\d+$/);
  });

  it('runs in its directory with its environment', async () => {
    assert.equal(await print('pwd; echo $A $HOME', {}, { cwd: '/home/app', env: ['PATH=/bin', 'A=b c', 'HOME=/root'] }), '/home/app\nb c /root');
  });
});

function nsOf(kind: string): string {
  return readlinkSync(`/proc/self/ns/${kind}`);
}
