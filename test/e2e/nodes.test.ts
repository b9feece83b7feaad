/** Two nodes, each an agent of its own: where they are, and that pods and Services know no border between them. */
import assert from 'node:assert/strict';
import { readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { TestDaemon, whyNoDaemon } from '../support/daemon.ts';

const skip = whyNoDaemon('kubectl') ?? false;

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
});
