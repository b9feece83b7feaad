/** Gantry's own Docker client on the real engine. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { createDockerClient } from '#client/docker/client.ts';
import type { DockerClient } from '#client/docker/types.ts';
import { unixTransport } from '#client/docker/unix.ts';
import { TestEngine, whyNoDocker } from '#test/support/engine.ts';

describe('the Docker client', { skip: whyNoDocker() }, () => {
  let engine: TestEngine;
  let client: DockerClient;

  before(async () => {
    engine = await new TestEngine().open();
    await engine.importBusybox('bb:1');
    client = createDockerClient(unixTransport(engine.socket));
  });
  after(async () => {
    client.close();
    await engine.end();
  });

  test('a container from creation to removal', async () => {
    assert.equal((await client.ping()).apiVersion, '1.50');
    const { Id } = await client.createContainer({ Image: 'bb:1', Cmd: ['sh', '-c', 'echo out; echo err >&2; sleep 1; exit 4'], Labels: { of: 'client' } }, 'mine');
    await client.start(Id);
    const result = await client.exec(Id, ['sh', '-c', 'echo $A; exit 3'], { env: ['A=b'] });
    assert.deepEqual(result, { exitCode: 3, stdout: 'b\n', stderr: '' });
    assert.equal(await client.wait(Id), 4);
    const output = { stdout: '', stderr: '' };
    for await (const { stream, data } of client.logs(Id)) output[stream] += data.toString();
    assert.deepEqual(output, { stdout: 'out\n', stderr: 'err\n' });
    assert.deepEqual((await client.listContainers({ all: true, labels: ['of=client'] })).map((c) => [c.Names, c.State]), [[['/mine'], 'exited']]);
    assert.equal((await client.inspectContainer('mine')).State.ExitCode, 4);
    await client.removeContainer(Id);
    await assert.rejects(client.inspectContainer(Id), { kind: 'not-found', message: `No such container: ${Id}` });
  });

  test('attach: two-way', async () => {
    const { Id } = await client.createContainer({ Image: 'bb:1', Cmd: ['cat'], OpenStdin: true, StdinOnce: true, Tty: false });
    const socket = await client.attach(Id, { stdin: true, stdout: true });
    await client.start(Id);
    let seen = '';
    socket.on('data', (chunk: Buffer) => (seen += chunk.subarray(8).toString()));
    const closed = once(socket, 'close');
    socket.end('through');
    assert.equal(await client.wait(Id), 0);
    await closed;
    assert.equal(seen, 'through');
    await client.removeContainer(Id);
  });

  test('images, networks, volumes; and failures', async () => {
    await client.tag('bb:1', 'other', '2');
    assert.deepEqual((await client.inspectImage('other:2'))?.RepoTags, ['bb:1', 'other:2']);
    assert.equal(await client.inspectImage('absent'), undefined);
    assert.deepEqual(await client.removeImage('other:2'), [{ Untagged: 'other:2' }]);
    const { Id } = await client.createNetwork({ Name: 'made' });
    assert.ok((await client.listNetworks({ filters: { type: ['custom'] } })).some((n) => n.Id === Id));
    await client.removeNetwork('made');
    await client.createVolume({ Name: 'vol' });
    assert.deepEqual((await client.listVolumes()).Volumes.map((v) => v.Name), ['vol']);
    await client.removeVolume('vol');
    await assert.rejects(client.build(Buffer.alloc(1024), { tag: 'x' }), { kind: 'not-implemented' });
    await assert.rejects(client.createContainer({ Image: 'bb:1', HostConfig: { Memory: 1 } }), { kind: 'invalid', message: 'Minimum memory limit allowed is 6MB' });
  });
});
