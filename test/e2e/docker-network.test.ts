/** Networks and volumes by the real CLI. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { freePort } from '#test/support/registry.ts';
import { dockerOlderThan } from '#test/support/programs.ts';
import { eventually, TestEngine, whyNoDocker } from '#test/support/engine.ts';

const serve = (text: string): string => `mkdir -p /www; echo ${text} > /www/index.html; exec httpd -f -p 80 -h /www`;

describe('networks and volumes', { skip: whyNoDocker() }, () => {
  let engine: TestEngine;

  before(async () => {
    engine = await new TestEngine().open();
    await engine.importBusybox('bb:1');
  });
  after(() => engine.end());

  async function body(url: string): Promise<string> {
    const answer = await fetch(url, { signal: AbortSignal.timeout(2000) }).catch(() => undefined);
    return answer ? (await answer.text()).trim() : '';
  }

  test('the three that are always there, which cannot go', async () => {
    assert.equal(await engine.ok('network', 'ls', '--format', '{{.Name}} {{.Driver}}'), 'bridge bridge\nhost host\nnone null');
    assert.match((await engine.docker('network', 'rm', 'bridge')).stderr, /pre-defined|predefined/);
  });

  test('-p publishes a port on all addresses, and on one; a taken one is refused', async () => {
    const port = await freePort();
    await engine.ok('run', '-d', '--name', 'web', '-p', `${port}:80`, '-p', '127.0.0.1::80', 'bb:1', 'sh', '-c', serve('hello'));
    await eventually(async () => (await body(`http://127.0.0.1:${port}/`)) === 'hello', 'the published port');
    const shown = await engine.ok('port', 'web', '80');
    const own = /127\.0\.0\.1:(\d+)/.exec(shown)?.[1];
    assert.equal(await body(`http://127.0.0.1:${own}/`), 'hello');
    assert.match(await engine.ok('ps', '--format', '{{.Ports}}'), new RegExp(`0\\.0\\.0\\.0:${port}->80/tcp`));
    const second = await engine.docker('run', '-d', '--name', 'second', '-p', `${port}:80`, 'bb:1', 'sleep', '9');
    assert.equal(second.code, 125);
    assert.match(second.stderr, /port is already allocated/);
    assert.equal(await engine.ok('inspect', '-f', '{{.State.Status}}', 'second'), 'created');
    await engine.ok('stop', '-t', '0', 'web');
    assert.equal(await body(`http://127.0.0.1:${port}/`), '');
    await engine.ok('start', 'second');
    await engine.ok('rm', '-f', 'web', 'second');
  });

  test('containers of a network find each other by name and alias, and not from outside of it', async () => {
    await engine.ok('network', 'create', '--label', 'k=v', 'inner');
    assert.match((await engine.docker('network', 'create', 'inner')).stderr, /network with name inner already exists/);
    await engine.ok('run', '-d', '--name', 'db', '--network', 'inner', '--network-alias', 'data', 'bb:1', 'sh', '-c', serve('found'));
    const ask = (name: string, ...more: string[]): Promise<string> => engine.ok('run', '--rm', ...more, 'bb:1', 'sh', '-c', `wget -qO- http://${name}/ || echo no`);
    await eventually(async () => (await ask('db', '--network', 'inner')) === 'found', 'the name');
    assert.equal(await ask('data', '--network', 'inner'), 'found');
    assert.equal(await ask('db'), 'no');
    await engine.ok('rename', 'db', 'store');
    assert.equal(await ask('store', '--network', 'inner'), 'found');
    assert.equal(await ask('db', '--network', 'inner'), 'no');
    await engine.ok('rename', 'store', 'db');
    assert.match((await engine.docker('network', 'rm', 'inner')).stderr, /active endpoints/);
    assert.equal(await engine.ok('network', 'inspect', '-f', '{{range .Containers}}{{.Name}}{{end}}', 'inner'), 'db');
    assert.equal(await ask('mine', '--network', 'inner', '--link', 'db:mine'), 'found');
    assert.equal(await ask('mine', '--network', 'inner'), 'no');
    assert.match((await engine.docker('run', '--rm', '--link', 'db:mine', 'bb:1', 'true')).stderr, /--link\) on the default bridge are not implemented/);
    await engine.ok('rm', '-f', 'db');
    assert.equal(await engine.ok('network', 'rm', 'inner'), 'inner');
  });

  test('connect and disconnect while it runs; an address of one\'s own', async () => {
    await engine.ok('network', 'create', '--subnet', '10.213.7.0/24', 'later');
    await engine.ok('run', '-d', '--name', 'mover', 'bb:1', 'sleep', '100');
    await engine.ok('network', 'connect', '--ip', '10.213.7.9', 'later', 'mover');
    assert.match(await engine.ok('exec', 'mover', 'ip', 'addr', 'show', 'eth1'), /inet 10\.213\.7\.9\/24/);
    assert.match((await engine.docker('network', 'connect', 'later', 'mover')).stderr, /already exists in network later/);
    assert.match(await engine.ok('exec', 'mover', 'cat', '/etc/hosts'), /\n10\.213\.7\.9\t/);
    await engine.ok('run', '-d', '--name', 'stayer', '--network', 'later', 'bb:1', 'sleep', '100');
    const own = await engine.ok('inspect', '-f', '{{.NetworkSettings.Networks.later.IPAddress}}', 'stayer');
    assert.match(await engine.ok('exec', 'mover', 'nslookup', 'stayer'), new RegExp(own.replaceAll('.', '\\.')));
    await engine.ok('rm', '-f', 'stayer');
    await engine.ok('network', 'disconnect', 'later', 'mover');
    assert.doesNotMatch(await engine.ok('exec', 'mover', 'cat', '/etc/hosts'), /10\.213\.7\.9/);
    assert.equal((await engine.docker('exec', 'mover', 'ip', 'addr', 'show', 'eth1')).code, 1);
    await engine.ok('rm', '-f', 'mover');
    await engine.ok('network', 'rm', 'later');
  });

  test('a network connected later takes the default route by its priority, and the name of its link', { skip: dockerOlderThan(28) }, async () => {
    await engine.ok('network', 'create', '--subnet', '10.213.8.0/24', 'preferred');
    await engine.ok('run', '-d', '--name', 'mover', 'bb:1', 'sleep', '100');
    await engine.ok('network', 'connect', '--gw-priority', '1', '--driver-opt', 'com.docker.network.endpoint.ifname=up0', 'preferred', 'mover');
    assert.match(await engine.ok('exec', 'mover', 'ip', 'route'), /default via 10\.213\.8\.1 dev up0/);
    await engine.ok('rm', '-f', 'mover');
    await engine.ok('network', 'rm', 'preferred');
  });

  test('prune takes the networks that no process is in', async () => {
    await engine.ok('network', 'create', 'later');
    await engine.ok('run', '-d', '--name', 'joined', '--network', 'later', 'bb:1', 'sleep', '100');
    assert.deepEqual([await engine.ok('network', 'prune', '-f'), await engine.ok('network', 'ls', '-q', '--filter', 'dangling=true')], ['', '']);
    // as with dockerd: only a process uses a network
    await engine.ok('kill', 'joined');
    assert.equal(await engine.ok('network', 'ls', '--format', '{{.Name}}', '--filter', 'dangling=true'), 'later');
    assert.equal(await engine.ok('network', 'prune', '-f'), 'Deleted Networks:\nlater');
    assert.match((await engine.docker('start', 'joined')).stderr, /network later not found/);
    await engine.ok('rm', 'joined');
    assert.match((await engine.docker('run', '--rm', '--network', 'later', 'bb:1', 'true')).stderr, /network later not found/);
    await engine.ok('run', '-d', '--name', 'alone', '--network', 'none', 'bb:1', 'sleep', '100');
    assert.match((await engine.docker('network', 'connect', 'bridge', 'alone')).stderr, /private \(none\) mode/);
    assert.match((await engine.docker('create', '--network', 'bridge', '--link-local-ip', '169.254.3.4', 'bb:1')).stderr, /--link-local-ip\) are not implemented/);
    await engine.ok('rm', '-f', 'alone');
  });

  test('--network container: shares another\'s', async () => {
    await engine.ok('run', '-d', '--name', 'first', 'bb:1', 'sh', '-c', serve('shared'));
    await eventually(async () => (await engine.docker('run', '--rm', '--network', 'container:first', 'bb:1', 'wget', '-qO-', 'http://127.0.0.1/')).stdout === 'shared\n', 'the shared loopback');
    await engine.ok('rm', '-f', 'first');
  });

  test('a named volume is filled from the image, outlives containers, and stays while one uses it', async () => {
    assert.equal(await engine.ok('volume', 'create', '--label', 'a=b', 'keep'), 'keep');
    await engine.ok('run', '--rm', '-v', 'keep:/etc', 'bb:1', 'sh', '-c', 'echo own > /etc/own');
    assert.equal(await engine.ok('run', '--rm', '-v', 'keep:/k:ro', 'bb:1', 'sh', '-c', 'cat /k/own; head -n1 /k/group'), 'own\nroot:x:0:');
    await engine.ok('create', '--name', 'holder', '-v', 'keep:/k', 'bb:1');
    assert.match((await engine.docker('volume', 'rm', 'keep')).stderr, /volume is in use/);
    assert.equal(await engine.ok('volume', 'ls', '-q', '--filter', 'label=a=b'), 'keep');
    await engine.ok('rm', 'holder');
    assert.equal(await engine.ok('volume', 'rm', 'keep'), 'keep');
    assert.match((await engine.docker('volume', 'inspect', 'keep')).stderr, /no such volume/);
  });

  test('anonymous volumes go with --rm and rm -v, and stay without', async () => {
    await engine.ok('run', '--rm', '-v', '/data', 'bb:1', 'true');
    assert.equal(await engine.ok('volume', 'ls', '-q'), '');
    await engine.ok('create', '--name', 'anon', '-v', '/data', 'bb:1');
    await engine.ok('create', '--name', 'from', '--volumes-from', 'anon', 'bb:1');
    await engine.ok('rm', '-v', 'from');
    await engine.ok('rm', 'anon');
    assert.match(await engine.ok('volume', 'ls', '-q'), /^[0-9a-f]{64}$/);
    assert.match(await engine.ok('volume', 'prune', '-f'), /Deleted Volumes:\n[0-9a-f]{64}/);
  });

  test('system df counts it all', async () => {
    assert.match(await engine.ok('system', 'df'), /Images +1 +0 +[\d.]+MB/);
  });
});
