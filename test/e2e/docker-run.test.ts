/** `docker run` and its flags, by the real CLI. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { eventually, finished, TestEngine, whyNoDocker } from '#test/support/engine.ts';

describe('docker run', { skip: whyNoDocker() }, () => {
  let engine: TestEngine;

  before(async () => {
    engine = await new TestEngine().open();
    await engine.importBusybox('bb:1');
  });
  after(() => engine.end());

  test('prints what the process prints, each stream on its own, and ends with its code', async () => {
    const { code, stdout, stderr } = await engine.docker('run', '--rm', 'bb:1', 'sh', '-c', 'echo out; echo err >&2; exit 7');
    assert.deepEqual({ code, stdout, stderr }, { code: 7, stdout: 'out\n', stderr: 'err\n' });
    assert.equal(await engine.ok('ps', '-aq'), '');
  });

  test('a command that cannot run ends with 127 or 126, and says why', async () => {
    const missing = await engine.docker('run', '--rm', 'bb:1', 'nosuch');
    assert.equal(missing.code, 127);
    assert.match(missing.stderr, /exec: "nosuch": executable file not found in \$PATH/);
    assert.equal((await engine.docker('run', '--rm', 'bb:1', '/etc')).code, 126);
    assert.equal(await engine.ok('ps', '-aq'), '', '--rm removes what did not start');
    const kept = await engine.docker('run', '--name', 'broken', 'bb:1', 'nosuch');
    assert.equal(kept.code, 127);
    assert.equal(await engine.ok('inspect', '-f', '{{.State.Status}} {{.State.ExitCode}}', 'broken'), 'created 127');
    await engine.ok('rm', 'broken');
  });

  test('-i gives it standard input, also much of it', async () => {
    const input = Buffer.alloc(3 << 20, 'x');
    const { stdout } = await engine.dockerWith({ input }, 'run', '-i', '--rm', 'bb:1', 'sh', '-c', 'wc -c; echo end');
    assert.equal(stdout, `${input.length}\nend\n`);
  });

  test('no output of a short process is lost, nor of a long one', async () => {
    const { stdout } = await engine.docker('run', '--rm', 'bb:1', 'seq', '1', '200000');
    const lines = stdout.trimEnd().split('\n');
    assert.deepEqual([lines.length, lines[0], lines.at(-1)], [200000, '1', '200000']);
  });

  test('-it is a terminal of the client\'s size', async () => {
    const child = engine.terminal('run', '-it', '--rm', 'bb:1', 'sh');
    const result = finished(child);
    setTimeout(() => child.stdin?.write('stty size; tty; echo $TERM; exit 5\n'), 1000);
    const { code, stdout } = await result;
    assert.match(stdout, /33 99\r\n\/dev\/pts\/0\r\nxterm/);
    assert.equal(code, 5);
  });

  test('-e, -w, -u, --hostname, --entrypoint, --add-host reach the process', async () => {
    const shown = await engine.ok('run', '--rm', '-e', 'A=b c', '-w', '/new/dir', '-u', 'app', '--hostname', 'box', '--add-host', 'far:10.1.2.3', '--entrypoint', 'sh', 'bb:1', '-c',
      'echo $A; pwd; id -u; echo $HOME; hostname; grep far /etc/hosts');
    assert.deepEqual(shown.split('\n'), ['b c', '/new/dir', '1000', '/home/app', 'box', '10.1.2.3\tfar']);
  });

  test('--memory, --cpus, --pids-limit, --ulimit are the process\'s limits', async () => {
    const paths = '/sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max';
    const shown = await engine.ok('run', '--rm', '--memory', '32m', '--cpus', '0.5', '--pids-limit', '50', '--ulimit', 'nofile=99:99', 'bb:1', 'sh', '-c',
      `cat ${paths} 2>/dev/null; cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu.max 2>/dev/null; ulimit -n`);
    assert.match(shown, /^33554432\n50000( 100000)?\n99$/);
    const short = await engine.docker('run', '--rm', '--memory', '1m', 'bb:1', 'true');
    assert.match(short.stderr, /Minimum memory limit allowed is 6MB/);
  });

  test('a container that takes more memory than it may is killed, and says so', async () => {
    const hog = 'x=a; while true; do x=$x$x; done';
    assert.equal((await engine.docker('run', '--name', 'hog', '--memory', '16m', '--memory-swap', '16m', 'bb:1', 'sh', '-c', hog)).code, 137);
    assert.equal(await engine.ok('inspect', '-f', '{{.State.OOMKilled}}', 'hog'), 'true');
    await engine.ok('rm', 'hog');
  });

  test('confined as Docker confines: capabilities, read-only paths, seccomp, devices', async () => {
    const shown = await engine.ok('run', '--rm', 'bb:1', 'sh', '-c', 'grep -E "CapEff|Seccomp:" /proc/self/status; touch /proc/sys/kernel/x; mount -t tmpfs x /tmp; ls /dev/kmsg /dev/mem; true');
    assert.match(shown, /CapEff:\s+00000000a80425fb/);
    assert.match(shown, /Seccomp:\s+2/);
    const dropped = await engine.ok('run', '--rm', '--cap-drop', 'ALL', '--security-opt', 'no-new-privileges', 'bb:1', 'grep', '-E', 'CapEff|NoNewPrivs', '/proc/self/status');
    assert.match(dropped, /CapEff:\s+0000000000000000\nNoNewPrivs:\s+1/);
    const readOnly = await engine.docker('run', '--rm', '--read-only', '--tmpfs', '/run:size=1m', 'bb:1', 'sh', '-c', 'touch /run/x && touch /x');
    assert.match(readOnly.stderr, /touch: \/x: Read-only file system/);
  });

  test('-v binds a host directory, read-only where asked, and makes it where it is missing', async () => {
    const directory = join(engine.root, 'host');
    mkdirSync(directory);
    writeFileSync(join(directory, 'in'), 'from the host');
    assert.equal(await engine.ok('run', '--rm', '-v', `${directory}:/d`, 'bb:1', 'sh', '-c', 'cat /d/in; echo back > /d/out'), 'from the host');
    assert.equal(readFileSync(join(directory, 'out'), 'utf8'), 'back\n');
    assert.match((await engine.docker('run', '--rm', '-v', `${directory}:/d:ro`, 'bb:1', 'touch', '/d/x')).stderr, /Read-only/);
    await engine.ok('run', '--rm', '-v', `${directory}/made:/d`, 'bb:1', 'touch', '/d/x');
    assert.match((await engine.docker('run', '--rm', '--mount', 'type=bind,src=/no/such,dst=/d', 'bb:1', 'true')).stderr, /bind source path does not exist: \/no\/such/);
  });

  test('what is not there is refused by name', async () => {
    assert.match((await engine.docker('run', '--rm', '--link', 'x', 'bb:1', 'true')).stderr, /--link\) on the default bridge are not implemented by Gantry/);
    assert.match((await engine.docker('run', '--rm', '--gpus', 'all', 'bb:1', 'true')).stderr, /--gpus\) are not implemented/);
    assert.match((await engine.docker('run', '--rm', '--log-driver', 'syslog', 'bb:1', 'true')).stderr, /no log driver named 'syslog'/);
    assert.match((await engine.docker('run', '--pull', 'never', '--rm', 'absent', 'true')).stderr, /No such image: absent:latest/);
  });

  test('another container that is not there is named, and is not taken for the image', async () => {
    for (const flags of [['--network', 'container:nobody'], ['--volumes-from', 'nobody'], ['--ipc', 'container:nobody']]) {
      assert.match((await engine.docker('run', '--rm', ...flags, 'bb:1', 'true')).stderr, /^docker: Error response from daemon: No such container: nobody/);
    }
  });

  test('--name is one container\'s alone', async () => {
    const id = await engine.ok('create', '--name', 'one', 'bb:1');
    const second = await engine.docker('create', '--name', 'one', 'bb:1');
    assert.match(second.stderr, new RegExp(`The container name "/one" is already in use by container "${id}"`));
    assert.match((await engine.docker('create', '--name', 'x', 'bb:1')).stderr, /Invalid container name \(x\)/);
    await engine.ok('rm', 'one');
  });

  test('--network host and none', async () => {
    assert.equal(await engine.ok('run', '--rm', '--network', 'none', 'bb:1', 'sh', '-c', 'ls /sys/class/net'), 'lo');
    assert.equal(await engine.ok('run', '--rm', '--network', 'host', 'bb:1', 'readlink', '/proc/self/ns/net'), await import('node:fs').then((fs) => fs.readlinkSync('/proc/self/ns/net')));
  });

  test('--restart on-failure tries again as often as it says', async () => {
    await engine.ok('run', '-d', '--name', 'again', '--restart', 'on-failure:2', 'bb:1', 'sh', '-c', 'echo run; exit 3');
    const shown = (): Promise<string> => engine.ok('inspect', '-f', '{{.State.Status}} {{.RestartCount}} {{.State.ExitCode}}', 'again');
    await eventually(async () => (await shown()) === 'exited 2 3', 'two restarts');
    assert.equal(await engine.ok('logs', 'again'), 'run\nrun\nrun');
    await engine.ok('rm', 'again');
    assert.match((await engine.docker('run', '-d', '--restart', 'sometimes', 'bb:1')).stderr, /unknown policy 'sometimes'/);
  });
});
