import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Container, PodSpec } from '#api/kube/types.ts';
import { whyNoContainers } from '#core/containers/testing.ts';
import { openNodeBed } from './testing.ts';
import type { NodeBed } from './testing.ts';

describe('kubelet: safety', { skip: whyNoContainers() }, () => {
  let node: NodeBed;
  let count = 0;
  before(async () => (node = await openNodeBed()));
  after(() => node.end());

  /** What a script writes as its termination message, in a pod of its own. */
  const message = async (script: string, container: Partial<Container> = {}, spec: Partial<PodSpec> = {}): Promise<string> => {
    const name = `s${count++}`;
    node.run(name, { restartPolicy: 'Never', ...spec, containers: [{ name: 'main', image: 'busybox:1', command: ['sh', '-c', `(${script}) > /dev/termination-log 2>&1`], ...container }] });
    const pod = await node.until(name, 'over', (seen) => ['Succeeded', 'Failed'].includes(seen?.status?.phase ?? ''));
    return (pod.status!.containerStatuses![0]!.state!.terminated!.message ?? '').trim();
  };
  const status = 'grep -E "^(CapEff|NoNewPrivs|Seccomp:)" /proc/self/status | tr "\\n\\t" "  "';

  it('confines by default as Docker does', async () => {
    assert.equal(await message(`${status}; id -u`), 'CapEff: 00000000a80425fb NoNewPrivs: 0 Seccomp: 2 0');
  });

  it('keeps to the security context', async () => {
    assert.equal(
      await message(`${status}; id -u; id -g; touch /x`, {
        securityContext: { runAsUser: 1000, runAsGroup: 3000, allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] }, seccompProfile: { type: 'RuntimeDefault' } },
      }),
      'CapEff: 0000000000000000 NoNewPrivs: 1 Seccomp: 2 1000\n3000\ntouch: /x: Read-only file system',
    );
    assert.match(await message(status, { securityContext: { capabilities: { drop: ['ALL'], add: ['NET_ADMIN'] }, seccompProfile: { type: 'Unconfined' } } }), /CapEff: 0{12}1000 .*Seccomp: 0/);
    assert.equal(await message('mount -t tmpfs none /tmp && echo mounted', { securityContext: { privileged: true } }), 'mounted');
  });

  it('takes the groups that the image gives the user, unless they are refused', async () => {
    // In the image user 1000 is a member of the group 29.
    const groups = (policy: string): Promise<string> =>
      message('id -G', { securityContext: { runAsUser: 1000, runAsGroup: 3000 } }, { securityContext: { supplementalGroups: [4000], supplementalGroupsPolicy: policy } });
    assert.equal(await groups('Merge'), '3000 29 4000');
    assert.equal(await groups('Strict'), '3000 4000');
  });

  it('takes a seccomp profile of the node by its name', async () => {
    const profile = { securityContext: { seccompProfile: { type: 'Localhost', localhostProfile: 'few/no-mkdir.json' } } };
    mkdirSync(join(node.bed.directory, 'kubelet', 'seccomp', 'few'), { recursive: true });
    writeFileSync(join(node.bed.directory, 'kubelet', 'seccomp', 'few', 'no-mkdir.json'), JSON.stringify({ defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO' }] }));
    assert.match(await message('mkdir /tmp/x', profile), /Operation not permitted/);
    node.run('noprofile', { containers: [{ name: 'main', image: 'busybox:1', securityContext: { seccompProfile: { type: 'Localhost', localhostProfile: 'absent.json' } } }] });
    const pod = await node.until('noprofile', 'refused', (seen) => seen?.status?.containerStatuses?.[0]?.state?.waiting?.reason === 'CreateContainerError');
    assert.match(pod.status!.containerStatuses![0]!.state!.waiting!.message!, /cannot load seccomp profile ".*absent.json"/);
  });

  it('gives a pod the weight and the memory that it asks for', async () => {
    const resources = { requests: { cpu: '250m' }, limits: { memory: '64Mi' } };
    node.run('weighed', { containers: [{ name: 'main', image: 'busybox:1', command: ['sleep', '1000'], resources }, { name: 'two', image: 'busybox:1', command: ['sleep', '1000'], resources }] });
    const pod = await node.until('weighed', 'running', (seen) => seen?.status?.phase === 'Running');
    const id = pod.status!.containerStatuses![0]!.containerID!.slice('gantry://'.length);
    const { pid } = node.core.containers.get(id)!;
    assert.deepEqual(groupOf(pid!, 'cpu', '..', ['cpu.shares', 'cpu.weight']), node.core.kernel.cgroups.version() === 1 ? '512' : '20');
    assert.deepEqual(groupOf(pid!, 'memory', '.', ['memory.limit_in_bytes', 'memory.max']), String(64 << 20));
    assert.ok(['0', String(64 << 20), ''].includes(groupOf(pid!, 'memory', '.', ['memory.memsw.limit_in_bytes', 'memory.swap.max'])));
  });

  it('starts no root where it must not', async () => {
    node.run('nonroot', { containers: [{ name: 'main', image: 'busybox:1', command: ['id'], securityContext: { runAsNonRoot: true } }] });
    const pod = await node.until('nonroot', 'refused', (seen) => seen?.status?.containerStatuses?.[0]?.state?.waiting?.reason === 'CreateContainerConfigError');
    assert.equal(pod.status!.containerStatuses![0]!.state!.waiting!.message, 'container has runAsNonRoot and image will run as root');
  });

  it('follows no link out of a volume', async () => {
    const volume = join(node.bed.directory, 'volume');
    mkdirSync(volume);
    writeFileSync(join(node.bed.directory, 'secret'), 'of the host');
    symlinkSync('../secret', join(volume, 'relative'));
    symlinkSync(join(node.bed.directory, 'secret'), join(volume, 'absolute'));
    symlinkSync('/', join(volume, 'top'));
    const spec = { volumes: [{ name: 'v', hostPath: { path: volume } }] };
    // A link is followed as if the volume were the whole file system: what it points at is not there.
    for (const subPath of ['relative', 'absolute', '../secret']) {
      const name = `link${count++}`;
      node.run(name, { ...spec, containers: [{ name: 'main', image: 'busybox:1', volumeMounts: [{ name: 'v', mountPath: '/m', subPath }] }] });
      const pod = await node.until(name, 'refused', (seen) => seen?.status?.containerStatuses?.[0]?.state?.waiting?.reason === 'CreateContainerConfigError');
      assert.match(pod.status!.containerStatuses![0]!.state!.waiting!.message!, /no such file|must be relative/);
    }
    assert.equal(await message('ls /m | wc -l', { volumeMounts: [{ name: 'v', mountPath: '/m', subPath: 'top/etc' }] }, spec), '0');
  });

  it('shares the host’s network only where that is asked for', async () => {
    assert.equal(await message('ip -o link | wc -l'), '2');
    assert.notEqual(await message('ip -o link | wc -l', {}, { hostNetwork: true }), '2');
  });

  it('has a Node as long as it lives', async () => {
    node.api.delete({ group: '', version: 'v1', resource: 'nodes' }, 'node-1');
    for (let i = 0; i < 300 && !node.api.objects.has('nodes//node-1'); i++) await sleep(10);
    assert.ok(node.api.objects.has('nodes//node-1'));
  });
});

/** The first of `files` that is in the control group of a process (or at `relative` from it), under both layouts; '' where there is none. */
function groupOf(pid: number, controller: string, relative: string, files: readonly string[]): string {
  const lines = readFileSync(`/proc/${pid}/cgroup`, 'utf8').trim().split('\n').map((line) => line.split(':'));
  const own = lines.find(([, controllers]) => controllers!.split(',').includes(controller)) ?? lines.find(([number]) => number === '0')!;
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n').filter((line) => / - cgroup2? /.test(line)).map((line) => line.split(' ')[4]!);
  const paths = mounts.flatMap((mount) => files.map((file) => join(mount, own[2]!, relative, file)));
  const found = paths.find((path) => existsSync(path));
  return found === undefined ? '' : readFileSync(found, 'utf8').trim();
}
