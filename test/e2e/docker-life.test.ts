/** A container's life, by the real CLI: create to rm, and looking on meanwhile. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { eventually, finished, TestEngine, whyNoDocker } from '#test/support/engine.ts';

describe('a container\'s life', { skip: whyNoDocker() }, () => {
  let engine: TestEngine;

  before(async () => {
    engine = await new TestEngine().open();
    await engine.importBusybox('bb:1');
  });
  after(() => engine.end());

  test('version and info', async () => {
    assert.equal(await engine.ok('version', '-f', '{{.Server.APIVersion}} {{.Server.MinAPIVersion}}'), '1.50 1.24');
    assert.equal(await engine.ok('info', '-f', '{{.Driver}} {{.Swarm.LocalNodeState}} {{.OSType}}'), 'overlay2 inactive linux');
  });

  test('create, start, ps, stop, start, kill, wait, rm', async () => {
    const id = await engine.ok('create', '--name', 'life', '-l', 'a=b', 'bb:1', 'sh', '-c', 'trap "exit 4" TERM; echo ready; while :; do sleep 0.1; done');
    assert.equal(await engine.ok('ps', '-a', '--format', '{{.Status}}'), 'Created');
    assert.equal(await engine.ok('start', 'life'), 'life');
    assert.match(await engine.ok('ps', '--filter', 'label=a=b', '--format', '{{.ID}} {{.Image}} {{.Names}} {{.Status}}'), new RegExp(`^${id.slice(0, 12)} bb:1 life Up `));
    await eventually(async () => (await engine.ok('logs', 'life')) === 'ready', 'the trap');
    await engine.ok('stop', 'life');
    assert.match(await engine.ok('ps', '-a', '--format', '{{.Status}}'), /^Exited \(4\) /);
    assert.equal(await engine.ok('ps', '-q'), '');
    await engine.ok('start', id.slice(0, 6));
    const waiting = engine.ok('wait', 'life');
    assert.equal((await engine.docker('rm', 'life')).code, 1, 'a running container stays');
    await engine.ok('kill', '-s', 'KILL', 'life');
    assert.equal(await waiting, '137');
    assert.match((await engine.docker('kill', 'life')).stderr, /is not running/);
    assert.equal(await engine.ok('rm', 'life'), 'life');
    assert.match((await engine.docker('inspect', 'life')).stderr, /No such object: life/);
  });

  test('rm -f, pause, rename, update, top, stats', async () => {
    await engine.ok('run', '-d', '--name', 'busy', 'bb:1', 'sleep', '1000');
    await engine.ok('pause', 'busy');
    assert.match(await engine.ok('ps', '--format', '{{.Status}}'), /\(Paused\)$/);
    assert.match((await engine.docker('exec', 'busy', 'true')).stderr, /is paused, unpause the container before exec/);
    await engine.ok('unpause', 'busy');
    await engine.ok('rename', 'busy', 'bee');
    await engine.ok('update', '--memory', '64m', '--memory-swap', '128m', '--restart', 'always', 'bee');
    assert.equal(await engine.ok('inspect', '-f', '{{.HostConfig.Memory}} {{.HostConfig.RestartPolicy.Name}}', 'bee'), '67108864 always');
    assert.match((await engine.docker('update', '--memory', '256m', 'bee')).stderr, /update the memoryswap at the same time/);
    assert.match((await engine.docker('update', '--blkio-weight', '300', 'bee')).stderr, /updating BlkioWeight is not implemented/);
    const pids = (): Promise<string> => engine.ok('inspect', '-f', '{{.Id}}', 'bee').then((id) => String(engine.runtime.containers.usage(id)?.pidsLimit ?? 'none'));
    await engine.ok('update', '--pids-limit', '7', 'bee');
    assert.equal(await pids(), '7');
    await engine.ok('update', '--pids-limit', '-1', 'bee');
    assert.deepEqual([await pids(), await engine.ok('inspect', '-f', '{{.HostConfig.PidsLimit}}', 'bee')], ['none', '<nil>']);
    assert.match(await engine.ok('top', 'bee'), /sleep 1000/);
    assert.match(await engine.ok('stats', '--no-stream', '--format', '{{.Name}} {{.MemUsage}} {{.PIDs}}', 'bee'), /^bee .*\/ 64MiB 1$/);
    assert.equal(await engine.ok('rm', '-f', 'bee'), 'bee');
    assert.equal(await engine.ok('ps', '-aq'), '');
  });

  test('logs of limited size: in several files, read as one, followed from one to the next', async () => {
    const limits = ['--log-opt', 'max-size=10k', '--log-opt', 'max-file=3'];
    const script = 'i=0; while [ $i -lt 900 ]; do echo "line $i of many, with something more to fill it"; i=$((i+1)); [ $((i % 50)) = 0 ] && sleep 0.15; done; true';
    await engine.ok('run', '-d', '--name', 'limited', ...limits, 'bb:1', 'sh', '-c', script);
    assert.equal(await engine.ok('inspect', '-f', '{{json .HostConfig.LogConfig}}', 'limited'), '{"Type":"json-file","Config":{"max-file":"3","max-size":"10k"}}');
    const followed = (await finished(engine.spawn('logs', '-f', 'limited'))).stdout.trim().split('\n');
    assert.deepEqual(followed.map((line) => line.split(' ')[1]), Array.from({ length: 900 }, (_, n) => String(n)));
    const kept = (await engine.ok('logs', 'limited')).split('\n');
    assert.ok(kept.length < 900, 'what was rotated away is gone');
    assert.deepEqual(kept, followed.slice(-kept.length));
    assert.deepEqual((await engine.ok('logs', '-n', '2', 'limited')).split('\n'), followed.slice(-2));
    await engine.ok('rm', 'limited');
  });

  test('logs: all, the newest, with times, and followed to the end', async () => {
    await engine.ok('run', '-d', '--name', 'talk', 'bb:1', 'sh', '-c', 'echo one; echo two >&2; sleep 1; echo three');
    const followed = finished(engine.spawn('logs', '-f', 'talk'));
    const { stdout, stderr } = await followed;
    assert.deepEqual([stdout, stderr], ['one\nthree\n', 'two\n']);
    assert.equal(await engine.ok('logs', '-n', '1', 'talk'), 'three');
    assert.match(await engine.ok('logs', '-t', '-n', '1', 'talk'), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z three$/);
    assert.equal(await engine.ok('logs', '--since', '10m', '--until', '9m', 'talk'), '');
    await engine.ok('rm', 'talk');
  });

  test('exec: output, code, input, environment, user, terminal, detached', async () => {
    await engine.ok('run', '-d', '--name', 'host', '-e', 'A=1', 'bb:1', 'sleep', '1000');
    const result = await engine.docker('exec', '-e', 'B=2', '-u', 'app', '-w', '/tmp', 'host', 'sh', '-c', 'echo $A $B $(id -u) $PWD; echo e >&2; exit 9');
    assert.deepEqual(result, { code: 9, stdout: '1 2 1000 /tmp\n', stderr: 'e\n' });
    assert.equal((await engine.dockerWith({ input: 'typed' }, 'exec', '-i', 'host', 'cat')).stdout, 'typed');
    assert.equal((await engine.docker('exec', 'host', 'nosuch')).code, 127);
    const execs = (): Promise<string> => engine.ok('inspect', '-f', '{{json .ExecIDs}}', 'host');
    assert.equal(await execs(), 'null');
    await engine.ok('exec', '-d', 'host', 'sleep', '1000');
    assert.match(await execs(), /^\["[0-9a-f]{64}"\]$/);
    // a terminal may get its size just after its process began
    const looks = 'for i in $(seq 50); do stty size | grep -x "21 43" && exit; sleep 0.1; done; stty size';
    const { execs: backend } = engine.engine;
    const { Id } = await backend.create('host', { Cmd: ['sh', '-c', looks], Tty: true, AttachStdout: true, ConsoleSize: [21, 43] });
    const { streams } = (await backend.start(Id, {})) ?? assert.fail('detached');
    let size = '';
    streams.onOutput((_stream, data) => (size += Buffer.from(data).toString()));
    await new Promise<void>((resolve) => streams.onEnd(() => resolve()));
    assert.equal(size.trim(), '21 43');
    const child = engine.terminal('exec', '-it', 'host', 'sh');
    const ended = finished(child);
    setTimeout(() => child.stdin?.write('stty size; exit 3\n'), 1000);
    const terminal = await ended;
    assert.match(terminal.stdout, /33 99/);
    assert.equal(terminal.code, 3);
    await engine.ok('exec', '-d', 'host', 'touch', '/done');
    await eventually(async () => (await engine.docker('exec', 'host', 'ls', '/done')).code === 0, 'the detached exec');
    await engine.ok('rm', '-f', 'host');
    assert.match((await engine.docker('exec', 'host', 'true')).stderr, /No such container: host/);
  });

  test('an exec in a directory that is not there, or is none, ends with 127 or 126', async () => {
    await engine.ok('run', '-d', '--name', 'dirs', 'bb:1', 'sleep', '1000');
    assert.equal((await engine.docker('exec', '-w', '/nosuch', 'dirs', 'true')).code, 127);
    assert.equal((await engine.docker('exec', '-w', '/etc/passwd', 'dirs', 'true')).code, 126);
    await engine.ok('rm', '-f', 'dirs');
  });

  test('a signal to what waits for its restart is no error, and the stop signal ends its waiting', async () => {
    await engine.ok('run', '-d', '--name', 'loop', '--restart', 'always', 'bb:1', 'false');
    await eventually(async () => Number(await engine.ok('inspect', '-f', '{{.RestartCount}}', 'loop')) >= 5, 'a wait of some seconds');
    await eventually(async () => (await engine.ok('inspect', '-f', '{{.State.Status}}', 'loop')) === 'restarting', 'its wait');
    await engine.ok('kill', '-s', 'HUP', 'loop');
    const waits = await engine.ok('inspect', '-f', '{{.RestartCount}} {{.State.StartedAt}}', 'loop');
    assert.equal(await engine.ok('start', 'loop'), 'loop');
    assert.equal(await engine.ok('inspect', '-f', '{{.RestartCount}} {{.State.StartedAt}}', 'loop'), waits, 'a start leaves the restart to the policy');
    assert.match((await engine.docker('rm', 'loop')).stderr, /container is restarting: stop the container before removing/);
    await engine.ok('kill', '-s', 'TERM', 'loop');
    assert.equal(await engine.ok('inspect', '-f', '{{.State.Status}}', 'loop'), 'exited');
    await engine.ok('rm', 'loop');
  });

  test('attach: joins a running container, detaches by its keys, and ends with its code', async () => {
    await engine.ok('run', '-dit', '--name', 'shell', 'bb:1', 'sh');
    const first = engine.terminal('attach', 'shell');
    const detached = finished(first);
    setTimeout(() => first.stdin?.write('echo here$((1+1))\n'), 700);
    setTimeout(() => first.stdin?.write('\x10\x11'), 1200);
    const { stdout } = await detached;
    assert.match(stdout, /here2[^]*read escape sequence/);
    assert.equal(await engine.ok('ps', '--format', '{{.Names}}'), 'shell');
    const second = engine.terminal('attach', 'shell');
    const ended = finished(second);
    setTimeout(() => second.stdin?.write('exit 6\n'), 700);
    assert.equal((await ended).code, 6);
    await engine.ok('rm', 'shell');
  });

  test('start -ai gives input to a container and shows its output', async () => {
    await engine.ok('create', '-i', '--name', 'cat', 'bb:1', 'cat');
    assert.equal((await engine.dockerWith({ input: 'meow\n' }, 'start', '-ai', 'cat')).stdout, 'meow\n');
    await engine.ok('rm', 'cat');
  });

  test('events come in Docker\'s order', async () => {
    const child = engine.spawn('events', '--format', '{{.Type}} {{.Action}}');
    let seen = '';
    child.stdout?.on('data', (chunk: Buffer) => (seen += chunk.toString()));
    await eventually(async () => (await engine.ok('info', '-f', '{{.NEventsListener}}')) === '1', 'the listener');
    await engine.ok('run', '--rm', 'bb:1', 'true');
    await eventually(() => seen.includes('destroy'), 'the last event');
    child.kill();
    assert.deepEqual(seen.trim().split('\n'), [
      'container create', 'container attach', 'network connect', 'container start', 'container die', 'network disconnect', 'container destroy',
    ]);
    await engine.ok('run', '-d', '--name', 'ev', 'bb:1', 'sleep', '100');
    await engine.ok('stop', '-t', '0', 'ev');
    // the CLI sends whole seconds
    const until = String(Math.floor(Date.now() / 1000) + 1);
    const past = await engine.ok('events', '--since', '1m', '--until', until, '--filter', 'container=ev', '--format', '{{.Action}}');
    assert.deepEqual(past.split('\n'), ['create', 'start', 'kill', 'kill', 'die', 'stop']);
    await engine.ok('rm', 'ev');
  });

  test('health checks', async () => {
    await engine.ok('run', '-d', '--name', 'ill', '--health-cmd', 'test -f /ok', '--health-interval', '200ms', '--health-retries', '2', 'bb:1', 'sleep', '100');
    assert.match(await engine.ok('ps', '--format', '{{.Status}}'), /\(health: starting\)$/);
    await eventually(async () => (await engine.ok('ps', '--format', '{{.Status}}')).endsWith('(unhealthy)'), 'unhealthy');
    await engine.ok('exec', 'ill', 'touch', '/ok');
    await eventually(async () => (await engine.ok('ps', '-q', '--filter', 'health=healthy')) !== '', 'healthy');
    await engine.ok('rm', '-f', 'ill');
  });

  test('inspect of what several nouns share a name with, and prune', async () => {
    await engine.ok('create', '--name', 'left', 'bb:1');
    assert.equal(await engine.ok('inspect', '-f', '{{.Name}}', 'left'), '/left');
    assert.equal(await engine.ok('inspect', '-f', '{{.Os}}', 'bb:1'), 'linux');
    assert.match(await engine.ok('container', 'prune', '-f'), /Deleted Containers:\n[0-9a-f]{64}/);
    assert.equal(await engine.ok('ps', '-aq'), '');
  });

  test('swarm, plugins and search answer as an engine without them', async () => {
    assert.match((await engine.docker('node', 'ls')).stderr, /This node is not a swarm manager/);
    assert.equal(await engine.ok('plugin', 'ls', '-q'), '');
    assert.match((await engine.docker('search', 'x')).stderr, /is not implemented by Gantry yet/);
  });
});
