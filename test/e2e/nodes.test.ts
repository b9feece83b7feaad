/** Two nodes, each an agent of its own: where they are, and that pods and Services know no border between them. */
import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { TestDaemon, whyNoDaemon } from '../support/daemon.ts';

const skip = whyNoDaemon('kubectl', 'docker') ?? false;

describe('two nodes', { skip }, () => {
  const daemon = new TestDaemon(['--nodes', '2']);
  before(() => daemon.up());
  after(() => daemon.end());

  test('each is Ready: a process, an address, a network namespace and a certificate of its own', async () => {
    const { nodes, daemon: own } = await daemon.status();
    assert.deepEqual(nodes.map(({ name, ready }) => `${name} ${ready}`), ['gantry-0 true', 'gantry-1 true']);
    const pids = nodes.map(({ pid }) => pid ?? 0);
    assert.equal(new Set([...pids, own.pid]).size, 3);
    assert.equal(new Set([...pids, own.pid].map((pid) => readlinkSync(`/proc/${pid}/ns/net`))).size, 3);
    const wide = await daemon.ok('kubectl', 'get', 'nodes', '-o', 'jsonpath={range .items[*]}{.metadata.name} {.metadata.labels.kubernetes\\.io/hostname} {.status.addresses[?(@.type=="InternalIP")].address} {.spec.podCIDR}{"\\n"}{end}');
    const base = nodes[0]!.address.split('.').slice(0, 2).join('.');
    assert.equal(wide, `gantry-0 gantry-0 ${base}.0.2 ${base}.1.0/24\ngantry-1 gantry-1 ${base}.0.3 ${base}.2.0/24`);
    for (const { name, pid } of nodes) {
      const path = join(daemon.root, 'nodes', name, 'join.json');
      assert.equal((await daemon.run('stat', ['-c', '%a', path])).stdout.trim(), '600');
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      assert.doesNotMatch(command, /PRIVATE|BEGIN/);
    }
  });

  test('what docker build made runs on both, and so does its next build: no registry is asked', async () => {
    const build = async (text: string): Promise<void> => {
      const context = join(daemon.root, 'app');
      mkdirSync(context, { recursive: true });
      copyFileSync('/bin/busybox', join(context, 'busybox'));
      writeFileSync(join(context, 'Dockerfile'), `FROM scratch\nCOPY busybox /bin/busybox\nCMD ["/bin/busybox", "echo", "${text}"]\n`);
      await daemon.ok('docker', 'build', '-q', '-t', 'app:1', context);
    };
    const run = async (pod: string, nodeName: string, imagePullPolicy: string): Promise<string> => {
      const overrides = JSON.stringify({ spec: { nodeName } });
      await daemon.ok('kubectl', 'run', pod, '--image=app:1', `--image-pull-policy=${imagePullPolicy}`, '--restart=Never', `--overrides=${overrides}`);
      await daemon.ok('kubectl', 'wait', `pod/${pod}`, '--for=jsonpath={.status.phase}=Succeeded', '--timeout=60s');
      return daemon.ok('kubectl', 'logs', pod);
    };
    await build('first');
    assert.equal(await run('first-0', 'gantry-0', 'IfNotPresent'), 'first');
    assert.equal(await run('first-1', 'gantry-1', 'Never'), 'first');
    await build('second');
    assert.equal(await run('second-0', 'gantry-0', 'IfNotPresent'), 'second');
    await daemon.ok('docker', 'rmi', '-f', 'app:1');
    assert.equal(await run('second-1', 'gantry-1', 'Always'), 'second', 'from the other node: the engine has it no more');
    const reasons = await daemon.ok('kubectl', 'get', 'events', '--field-selector=involvedObject.name=second-1', '-o', 'jsonpath={.items[*].reason}');
    assert.match(reasons, /Pulling.*Pulled/);
  });
});
