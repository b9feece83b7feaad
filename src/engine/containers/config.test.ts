import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CreateRequest } from '#api/docker/containers.ts';
import type { HostConfig } from '#api/docker/host-config.ts';
import { DetachKeys, parseDetachKeys } from './detach-keys.ts';
import { checkHostConfig, checkSecurity, hostWarnings } from './host-config.ts';
import { mergeConfig, mergeEnv } from './merge-config.ts';
import { parseBind, planMounts } from './mounts.ts';
import { checkName, inventName } from './names.ts';
import { shownHostConfig } from './shown-host-config.ts';
import { portMap, portRequests } from './ports.ts';
import { seededRandom } from '#lib/random.ts';
import type { ContainerRecord } from './record.ts';
import { resourceSpec } from './spec.ts';
import { logLimitsOf } from './log-config.ts';

const id = 'ab'.repeat(32);
const crunHost = { runtimes: ['crun'], cgroupVersion: 2 } as const;
const merge = (request: CreateRequest, image = {}) => mergeConfig(request, image, id);

test('what was asked wins over the image; an entrypoint resets the image\'s command', () => {
  const image = { Cmd: ['serve'], Entrypoint: ['/run'], Env: ['A=1', 'B=2'], User: 'app', Labels: { a: '1' }, Volumes: { '/v': {} } };
  const plain = merge({ Env: ['B=3', 'C'], Labels: { b: '2' } }, image);
  assert.deepEqual([plain.Entrypoint, plain.Cmd, plain.Env, plain.User], [['/run'], ['serve'], ['A=1', 'B=3', 'C'], 'app']);
  assert.deepEqual([plain.Labels, plain.Volumes, plain.Hostname], [{ a: '1', b: '2' }, { '/v': {} }, id.slice(0, 12)]);
  assert.deepEqual(merge({ Entrypoint: ['sh'] }, image).Cmd, null);
  assert.deepEqual(merge({ Entrypoint: [''], Cmd: ['ls'] }, image).Entrypoint, null);
  assert.throws(() => merge({}, {}), /no command specified/);
});

test('a config that cannot work is refused', () => {
  const run = { Cmd: ['x'] };
  assert.throws(() => merge({ ...run, WorkingDir: 'relative' }), /needs to be an absolute path/);
  assert.throws(() => merge({ ...run, StopSignal: 'SIGNOPE' }), /Invalid signal: SIGNOPE/);
  assert.throws(() => merge({ ...run, ExposedPorts: { '99999/tcp': {} } }), /invalid port specification/);
  assert.throws(() => merge({ ...run, Healthcheck: { Test: ['CMD', 'x'], Interval: 5 } }), /cannot be less than 1ms/);
  assert.deepEqual(mergeEnv(['PATH=/a', 'X=1'], ['X=']), ['PATH=/a', 'X=']);
});

test('the zero values that the CLI sends are unset, and inspect shows defaults', () => {
  const sent: HostConfig = { NetworkMode: 'default', MemorySwappiness: -1, PidsLimit: 0, ShmSize: 0, OomKillDisable: false, RestartPolicy: { Name: 'no', MaximumRetryCount: 0 }, BlkioDeviceReadBps: [], UsernsMode: '' };
  const host = checkHostConfig(sent, crunHost);
  assert.deepEqual([host.NetworkMode, host.MemorySwappiness, host.PidsLimit, host.ShmSize, host.Runtime], ['bridge', null, null, 64 << 20, 'crun']);
  assert.deepEqual(resourceSpec(host), {});
});

test('each field of a HostConfig works or is refused by name', () => {
  const refusals: [HostConfig, RegExp][] = [
    [{ Links: ['a:b'] }, /--link/],
    [{ DeviceRequests: [{}] }, /--gpus/],
    [{ BlkioDeviceReadBps: [{ Path: '/dev/sda', Rate: 1 }] }, /--device-read-bps/],
    [{ StorageOpt: { size: '1G' } }, /--storage-opt/],
    [{ UsernsMode: 'private' }, /--userns/],
    [{ LogConfig: { Type: 'gelf' } }, /no log driver named 'gelf'/],
    [{ LogConfig: { Type: 'json-file', Config: { tag: 'x' } } }, /log option tag \(--log-opt\) is not implemented/],
    [{ LogConfig: { Config: { compress: 'true' } } }, /log option compress=true \(--log-opt\) is not implemented/],
    [{ LogConfig: { Config: { 'max-siez': '1m' } } }, /unknown log opt 'max-siez' for json-file log driver/],
    [{ LogConfig: { Type: 'none', Config: { 'max-size': '1m' } } }, /unknown log opt 'max-size' for none log driver/],
    [{ LogConfig: { Config: { 'max-size': 'large' } } }, /invalid max-size "large"/],
    [{ LogConfig: { Config: { 'max-size': '0' } } }, /max-size must be a positive number/],
    [{ LogConfig: { Config: { 'max-file': '0' } } }, /max-file cannot be less than 1/],
    [{ LogConfig: { Config: { 'max-file': '101' } } }, /max-file 101 is over the limit of 100/],
    [{ Runtime: 'kata' }, /invalid runtime name: kata/],
    [{ IpcMode: 'odd' }, /invalid IPC mode: odd/],
    [{ AutoRemove: true, RestartPolicy: { Name: 'always' } }, /can't create 'AutoRemove' container with restart policy/],
    [{ RestartPolicy: { Name: 'always', MaximumRetryCount: 3 } }, /maximum retry count can only be used with 'on-failure'/],
    [{ Memory: 1 << 20 }, /Minimum memory limit/],
    [{ NanoCpus: 1e9, CpuQuota: 5000 }, /Conflicting options/],
    [{ NanoCpus: 1e6 }, /range of CPUs is from 0\.01 to \d+\.00/],
    [{ NanoCpus: 1e15 }, /range of CPUs is from 0\.01 to \d+\.00/],
    [{ CapAdd: ['NOPE'] }, /unknown capability/],
    [{ SecurityOpt: ['label=type:x'] }, /SELinux/],
    [{ Ulimits: [{ Name: 'nofiles', Soft: 1, Hard: 1 }] }, /invalid ulimit type: nofiles/],
    [{ ExtraHosts: ['up:nowhere'] }, /invalid IP address in add-host: "nowhere"/],
    [{ Dns: ['lan'] }, /invalid IP address in dns: "lan"/],
    [{ SecurityOpt: ['no-new-privileges=maybe'] }, /it takes true or false/],
    [{ NetworkMode: 'container:x', PortBindings: { '80/tcp': [{}] } }, /conflicting options/],
  ];
  for (const [host, message] of refusals) assert.throws(() => checkHostConfig(host, crunHost), message);
});

test('defaults that depend on the host or on other fields; inspect shows every field', () => {
  const host = checkHostConfig({ Memory: 64 << 20 }, { ...crunHost, cgroupVersion: 1 });
  assert.deepEqual([host.CgroupnsMode, host.MemorySwap, checkHostConfig({}, crunHost).CgroupnsMode], ['host', 128 << 20, 'private']);
  const shown = shownHostConfig({ ...host, CpuShares: null } as unknown as HostConfig);
  assert.deepEqual([shown.CpuShares, shown.Dns, shown.Privileged, shown.LogConfig?.Type, shown.Memory], [0, [], false, 'json-file', 64 << 20]);
  assert.ok(shown.MaskedPaths?.includes('/proc/kcore') && shown.ReadonlyPaths?.includes('/proc/sys'));
  assert.equal(shownHostConfig({ Privileged: true }).MaskedPaths, null);
  assert.deepEqual(shownHostConfig({ MaskedPaths: [] }).MaskedPaths, []);
});

test('what cgroup v2 has not is left out, and the client is told', () => {
  const given: HostConfig = { OomKillDisable: true, MemorySwappiness: 0, NetworkMode: 'host', PortBindings: { '80/tcp': [] } };
  const [two, one] = [checkHostConfig(given, crunHost), checkHostConfig(given, { ...crunHost, cgroupVersion: 1 })];
  assert.deepEqual([two.OomKillDisable, two.MemorySwappiness, one.OomKillDisable, one.MemorySwappiness], [null, null, true, 0]);
  assert.deepEqual([hostWarnings(given, crunHost).length, hostWarnings(given, { cgroupVersion: 1 }).length, hostWarnings({ MemorySwappiness: -1 }, crunHost).length], [3, 1, 0]);
});

test('limits become the runtime\'s', () => {
  assert.deepEqual(resourceSpec({ Memory: 64 << 20, NanoCpus: 500_000_000, PidsLimit: 9 }), {
    memoryBytes: 64 << 20, memorySwapBytes: 128 << 20, cpuQuota: 50_000, cpuPeriod: 100_000, pids: 9,
  });
  assert.deepEqual(resourceSpec({ Memory: 64 << 20, MemorySwap: -1 }).memorySwapBytes, -1);
  const security = checkSecurity({ SecurityOpt: ['no-new-privileges', 'seccomp={"defaultAction":"SCMP_ACT_ALLOW"}', 'apparmor=x'] });
  assert.deepEqual(security, { noNewPrivileges: true, seccomp: { defaultAction: 'SCMP_ACT_ALLOW' }, apparmor: 'x' });
});

test('binds: directories, named volumes, anonymous ones, modes', () => {
  assert.deepEqual(pick(parseBind('/h/../host:/c/:ro,rshared')), { type: 'bind', source: '/host', target: '/c', readOnly: true, propagation: 'rshared' });
  assert.deepEqual(pick(parseBind('vol:/c:nocopy')), { type: 'volume', volume: 'vol', target: '/c', readOnly: false, propagation: '' });
  assert.equal(parseBind('/only').anonymous, true);
  for (const wrong of ['/a:relative', '/a:/', 'a b:/c', '/a:/b:rx', '/a:/b:c:d', 'vol:/c:shared', ':/x']) assert.throws(() => parseBind(wrong), { kind: 'invalid' });
});

function pick({ type, source, volume, target, readOnly, propagation }: ReturnType<typeof parseBind>): object {
  return JSON.parse(JSON.stringify({ type, source, volume, target, readOnly, propagation })) as object;
}

test('mounts come parents first; two for one target are refused; volumes of the image give way', () => {
  const plans = planMounts({ Volumes: { '/data': {}, '/z': {} } }, { Binds: ['/h:/a/b/c', 'v:/data'], Mounts: [{ Type: 'tmpfs', Target: '/a' }] }, []);
  assert.deepEqual(plans.map((p) => `${p.type} ${p.target}`), ['volume /data', 'tmpfs /a', 'volume /z', 'bind /a/b/c']);
  assert.throws(() => planMounts({}, { Binds: ['/h:/a', 'v:/a/'] }, []), /Duplicate mount point: \/a/);
  assert.throws(() => planMounts({}, { Mounts: [{ Type: 'image', Target: '/a', Source: 'x' }] }, []), /type image are not implemented/);
  assert.deepEqual(planMounts({}, { Tmpfs: { '/t': 'size=1m,exec' } }, [])[0]?.tmpfs, ['nosuid', 'nodev', 'size=1m', 'exec']);
  assert.throws(() => planMounts({}, { Tmpfs: { '/t': 'upperdir=/x' } }, []), /invalid tmpfs option/);
  assert.throws(() => planMounts({}, { Mounts: [{ Type: 'tmpfs', Target: '/t', TmpfsOptions: { Options: [['upperdir', '/x']] } }] }, []), /invalid tmpfs option/);
  assert.throws(() => planMounts({}, { Mounts: [{ Type: 'bind', Source: '/', Target: '/t', ImageOptions: { Subpath: 'x' } }] }, []), /field ImageOptions must not be specified/);
});

test('ports: bindings, ranges, all that are exposed; and back', () => {
  const record = { config: { ExposedPorts: { '80/tcp': {}, '53/udp': {} } }, hostConfig: { PublishAllPorts: true, PortBindings: { '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '8000-8010' }] } } };
  assert.deepEqual(portRequests(record), [
    { containerPort: 80, protocol: 'tcp', hostIp: '127.0.0.1', hostPort: 8000, hostPortEnd: 8010 },
    { containerPort: 53, protocol: 'udp', hostIp: '', hostPort: 0 },
  ]);
  for (const HostPort of ['x', '70000', '9-8']) assert.throws(() => portRequests({ ...record, hostConfig: { PortBindings: { '80': [{ HostPort }] } } }), /Invalid hostPort/);
  assert.throws(() => portRequests({ ...record, hostConfig: { PortBindings: { '80/sctp': [{}] } } }), /sctp is not implemented/);
  assert.deepEqual(portMap(record as unknown as ContainerRecord, [{ containerPort: 80, protocol: 'tcp', hostIp: '0.0.0.0', hostPort: 8001 }]), {
    '80/tcp': [{ HostIp: '0.0.0.0', HostPort: '8001' }], '53/udp': null,
  });
});

test('names', () => {
  assert.equal(checkName('/web-1'), 'web-1');
  for (const wrong of ['a', '-ab', 'a b', 'ä1', '']) assert.throws(() => checkName(wrong), /Invalid container name/);
  const taken = new Set<string>();
  for (let i = 0; i < 5000; i++) taken.add(checkName(inventName(seededRandom(i), (name) => !taken.has(name))));
  assert.equal(taken.size, 5000);
});

test('detach keys are found across pieces, and what only begins like them passes on', () => {
  const keys = new DetachKeys('');
  const feed = (bytes: number[]): [number[], boolean] => {
    const { forward, detached } = keys.feed(Uint8Array.from(bytes));
    return [[...forward], detached];
  };
  assert.deepEqual(feed([97, 16]), [[97], false]);
  assert.deepEqual(feed([98]), [[16, 98], false]);
  assert.deepEqual(feed([16, 16]), [[16], false]);
  assert.deepEqual(feed([17]), [[], true]);
  assert.deepEqual(parseDetachKeys('ctrl-a,d'), [1, 100]);
  assert.throws(() => parseDetachKeys('ctrl-é'), /Invalid detach keys/);
});

test('log options give the limits of a log, in Docker\'s decimal sizes', () => {
  const of = (Type: string, Config: Record<string, string>) => logLimitsOf({ LogConfig: { Type, Config } });
  assert.equal(of('json-file', {}), undefined);
  assert.equal(of('json-file', { 'max-file': '3', 'max-size': '-1' }), undefined);
  assert.deepEqual(of('json-file', { 'max-size': '10m' }), { bytes: 10_000_000, files: 1 });
  assert.deepEqual(of('json-file', { 'max-size': '1.5kb', 'max-file': '3', compress: 'false' }), { bytes: 1500, files: 3 });
  assert.deepEqual(of('local', {}), { bytes: 20_000_000, files: 5 });
});
