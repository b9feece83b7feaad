/** The less common flags of `docker run`: each works. And many containers at once. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { globSync, mkdirSync, readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { systemClock } from '#lib/clock.ts';
import { eventually, TestEngine, whyNoDocker } from '#test/support/engine.ts';

describe('flags of docker run', { skip: whyNoDocker() }, () => {
  let engine: TestEngine;

  before(async () => {
    engine = await new TestEngine().open();
    await engine.importBusybox('bb:1');
  });
  after(() => engine.end());

  const run = (...args: string[]): Promise<string> => engine.ok('run', '--rm', ...args);
  const inside = (flags: string[], script: string): Promise<string> => run(...flags, 'bb:1', 'sh', '-c', script);

  test('--device, --device-cgroup-rule, --privileged', async () => {
    assert.equal(await inside(['--device', '/dev/null:/dev/other:r'], 'stat -c %t:%T /dev/other; head -c1 /dev/other | wc -c'), '1:3\n0');
    assert.match(await inside(['--privileged'], 'grep CapEff /proc/self/status; ls /dev/kmsg; mount -t tmpfs x /tmp && echo mounted'), /CapEff:\s+000001f[0-9a-f]{9}\n\/dev\/kmsg\nmounted/);
    await inside(['--device-cgroup-rule', 'c 10:200 rwm'], 'true');
  });

  test('--sysctl, --shm-size, --oom-score-adj, --group-add', async () => {
    assert.equal(await inside(['--sysctl', 'net.ipv4.ip_forward=1', '--sysctl', 'kernel.msgmax=9000'], 'cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax'), '1\n9000');
    assert.match(await inside(['--shm-size', '8m'], 'mount | grep /dev/shm'), /size=8192k/);
    assert.equal(await inside(['--oom-score-adj', '500'], 'cat /proc/self/oom_score_adj'), '500');
    assert.equal(await inside(['-u', 'app', '--group-add', '77'], 'id -G'), '1000 77');
  });

  test('--pid, --ipc, --uts: the host\'s, and another container\'s', async () => {
    assert.equal(await inside(['--pid', 'host'], 'readlink /proc/self/ns/pid'), readlinkSync('/proc/self/ns/pid'));
    assert.equal(await inside(['--uts', 'host'], 'hostname'), hostname());
    assert.equal(await inside(['--ipc', 'host'], 'readlink /proc/self/ns/ipc'), readlinkSync('/proc/self/ns/ipc'));
    await engine.ok('run', '-d', '--name', 'other', '--ipc', 'shareable', 'bb:1', 'sh', '-c', 'echo x > /dev/shm/x; sleep 1000');
    const of = (kind: string): Promise<string> => engine.ok('exec', 'other', 'readlink', `/proc/1/ns/${kind}`);
    assert.equal(await inside(['--pid', 'container:other'], 'readlink /proc/self/ns/pid; ps | grep -q "[s]leep 1000" && echo seen'), `${await of('pid')}\nseen`);
    assert.equal(await inside(['--ipc', 'container:other'], 'readlink /proc/self/ns/ipc; cat /dev/shm/x'), `${await of('ipc')}\nx`);
    await engine.ok('run', '-d', '--name', 'closed', 'bb:1', 'sleep', '1000');
    assert.match((await engine.docker('run', '--rm', '--ipc', 'container:closed', 'bb:1', 'true')).stderr, /non-shareable IPC/);
    await engine.ok('rm', '-f', 'other', 'closed');
  });

  test('--dns…, --mac-address, --stop-signal, --stop-timeout, --cgroup-parent, --annotation', async () => {
    assert.equal(await inside(['--dns', '9.9.9.9', '--dns-search', 'lan', '--dns-option', 'rotate'], 'cat /etc/resolv.conf'), 'nameserver 9.9.9.9\nsearch lan\noptions rotate');
    assert.match(await inside(['--mac-address', '02:00:00:00:00:42'], 'ip link show eth0'), /02:00:00:00:00:42/);
    await engine.ok('run', '-d', '--name', 'signal', '--stop-signal', 'USR1', '--stop-timeout', '5', 'bb:1', 'sh', '-c', 'trap "exit 9" USR1; echo ready; while :; do sleep 0.1; done');
    // before its trap is set, the first process of a container takes no signal
    await eventually(async () => (await engine.ok('logs', 'signal')) === 'ready', 'the trap');
    await engine.ok('stop', 'signal');
    assert.equal(await engine.ok('wait', 'signal'), '9');
    await engine.ok('rm', 'signal');
    const parent = `gantry-${engine.instance}/custom`;
    await engine.ok('run', '-d', '--name', 'child', '--cgroup-parent', parent, '--annotation', 'a=b', 'bb:1', 'sleep', '100');
    const pid = await engine.ok('inspect', '-f', '{{.State.Pid}}', 'child');
    assert.match(readFileSync(`/proc/${pid}/cgroup`, 'utf8'), new RegExp(`${parent}/[0-9a-f]{64}`));
    const id = await engine.ok('inspect', '-f', '{{.Id}}', 'child');
    const bundle = globSync(`${engine.root}/**/${id}/config.json`)[0] ?? '';
    assert.equal((JSON.parse(readFileSync(bundle, 'utf8')) as { annotations: Record<string, string> }).annotations['a'], 'b');
    await engine.ok('rm', '-f', 'child');
  });

  test('a read-only bind is read-only with all that is mounted below it, unless bind-recursive says otherwise', async () => {
    const source = join(engine.root, 'source');
    mkdirSync(join(source, 'below'), { recursive: true });
    execFileSync('mount', ['-t', 'tmpfs', 'below', join(source, 'below')]);
    const script = 'for d in /s /s/below; do touch $d/x 2>/dev/null && echo wrote || echo ro; done';
    assert.equal(await inside(['-v', `${source}:/s:ro`], script), 'ro\nro');
    assert.equal(await inside(['--mount', `type=bind,src=${source},dst=/s,readonly,bind-recursive=writable`], script), 'ro\nwrote');
    assert.equal(await inside(['--mount', `type=bind,src=${source},dst=/s,readonly,bind-recursive=disabled`], 'ls /s/below | wc -l'), '0');
    assert.equal(await inside(['--mount', `type=bind,src=${source},dst=/s,readonly,bind-recursive=readonly,bind-propagation=rprivate`], script), 'ro\nro');
  });

  test('--init is the first process, but not where the pids are another\'s', async () => {
    const first = 'tr "\\0" " " < /proc/1/cmdline';
    assert.match(await inside(['--init'], first), /^\/sbin\/docker-init -- sh -c/);
    await inside(['--init', '--pid', 'host'], 'true');
  });

  test('--mount: tmpfs, a volume\'s subpath, read-only; --volumes-from', async () => {
    assert.match(await inside(['--mount', 'type=tmpfs,dst=/t,tmpfs-size=2m,tmpfs-mode=1700'], 'mount | grep " /t "'), /size=2048k,mode=1700/);
    await inside(['-v', 'sub:/s'], 'mkdir -p /s/a/b; echo deep > /s/a/b/f');
    assert.equal(await inside(['--mount', 'type=volume,src=sub,dst=/v,volume-subpath=a/b,readonly'], 'cat /v/f; touch /v/g 2>/dev/null || echo ro'), 'deep\nro');
    await engine.ok('create', '--name', 'lender', '-v', 'sub:/s', 'bb:1');
    assert.equal(await inside(['--volumes-from', 'lender:ro'], 'cat /s/a/b/f; touch /s/x 2>/dev/null || echo ro'), 'deep\nro');
    await engine.ok('rm', 'lender');
  });

  test('--env-file, --label, --expose -P, --cidfile', async () => {
    await engine.ok('run', '-d', '--name', 'exposed', '--expose', '81', '-P', '--label', 'x=y', 'bb:1', 'sleep', '100');
    assert.match(await engine.ok('port', 'exposed'), /^81\/tcp -> 0\.0\.0\.0:\d+/);
    assert.equal(await engine.ok('ps', '-q', '--filter', 'expose=81', '--filter', 'label=x'), await engine.ok('ps', '-q', '--filter', 'name=exposed'));
    await engine.ok('rm', '-f', 'exposed');
  });

  test('twenty at once, each whole, and nothing is left', async () => {
    const results = await Promise.all(Array.from({ length: 20 }, (_, i) => engine.docker('run', '--rm', 'bb:1', 'sh', '-c', `echo ${i}; exit ${i}`)));
    assert.deepEqual(results.map((r) => [r.code, r.stdout]), results.map((_, i) => [i, `${i}\n`]));
    assert.equal(await engine.ok('ps', '-aq'), '');
    assert.deepEqual([engine.runtime.containers.list(), engine.runtime.sandboxes.list(), engine.runtime.snapshots.active()], [[], [], []]);
  });

  test('a restart that fails leaves --rm as it was; one that works does not remove', async () => {
    await engine.ok('run', '-d', '--rm', '--name', 'brief', 'bb:1', 'sleep', '1000');
    assert.match((await engine.docker('restart', '-s', 'NOPE', 'brief')).stderr, /Invalid signal: NOPE/);
    assert.equal(await engine.ok('inspect', '-f', '{{.HostConfig.AutoRemove}} {{.State.Running}}', 'brief'), 'true true');
    await engine.ok('restart', '-t', '0', 'brief');
    assert.equal(await engine.ok('inspect', '-f', '{{.HostConfig.AutoRemove}} {{.State.Running}}', 'brief'), 'true true');
    await engine.ok('stop', '-t', '0', 'brief');
    await eventually(async () => (await engine.ok('ps', '-aq')) === '', 'its removal');
  });

  test('stop and wait answer when the networks of what ended are free, not before', async () => {
    const { networks } = engine.runtime;
    const detach = networks.detach.bind(networks);
    networks.detach = (...which) => systemClock.sleep(500).then(() => detach(...which));
    try {
      for (const verb of ['stop', 'wait']) {
        await engine.ok('network', 'create', 'slow');
        await engine.ok('run', '-d', '--name', 'quick', '--network', 'slow', 'bb:1', 'true');
        await eventually(async () => (await engine.ok('inspect', '-f', '{{.State.Status}}', 'quick')) === 'exited', 'its end');
        await engine.ok(verb, 'quick');
        await engine.ok('network', 'rm', 'slow');
        await engine.ok('rm', 'quick');
      }
    } finally {
      networks.detach = detach;
    }
  });

  test('start, stop, restart and rm of one container at once end in one state', async () => {
    await engine.ok('create', '--name', 'torn', 'bb:1', 'sleep', '1000');
    const verbs = [['start'], ['restart', '-t', '0'], ['stop', '-t', '0'], ['start'], ['kill'], ['restart', '-t', '0']];
    await Promise.all(verbs.map((verb) => engine.docker(...verb, 'torn')));
    const state = await engine.ok('inspect', '-f', '{{.State.Status}} {{.State.Running}}', 'torn');
    assert.match(state, /^(running true|exited false)$/);
    await engine.ok('rm', '-f', 'torn');
    assert.equal(await engine.ok('ps', '-aq'), '');
  });
});
