/** Files of a root that a failing disk or a hand has damaged: `up` names the file, says what next, and changes nothing. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { TestDaemon, whyNoDaemon } from '../support/daemon.ts';

describe('damaged state', { skip: whyNoDaemon('docker') }, () => {
  const daemon = new TestDaemon();
  before(async () => {
    await daemon.up();
    await daemon.ok('docker', 'volume', 'create', 'kept');
    await daemon.gantry('down');
  });
  after(() => daemon.end());

  const cases: readonly [file: string, content: string, says: RegExp][] = [
    ['runtime/records/data.mdb', 'x'.repeat(100_000), /the database .*\/runtime\/records\/data\.mdb is damaged .*: restore it from a copy, or move it away to begin without it; only it holds the records of images, containers, networks and volumes/],
    ['cluster/store/data.mdb', '', /the database .*\/cluster\/store\/data\.mdb is damaged \(it is empty\): .* only it holds the objects of the cluster/],
    ['cluster/network.json', '{"clusterCidr":', /\/cluster\/network\.json is damaged: restore it from a copy, or remove it \(pods and Services then get addresses/],
    ['cluster/nodes.json', '[]', /\/cluster\/nodes\.json is damaged: restore it from a copy, or remove it/],
    ['cluster/pki/ca.key', 'garbage', /\/cluster\/pki\/ca\.key is damaged: restore it from a copy; nothing that trusts it takes another/],
    ['flags.json', '{"a":', /\/flags\.json is damaged: restore it from a copy, or remove it \(this start then has only the flags that it is given\)/],
  ];
  test('up names the damaged file, says what next, and changes nothing', async () => {
    for (const [name, content, says] of cases) {
      const file = join(daemon.root, name);
      const whole = existsSync(file) ? readFileSync(file) : undefined;
      writeFileSync(file, content);
      const { code, stderr } = await daemon.tryUp();
      assert.equal(code, 1, name);
      assert.match(stderr, says);
      assert.equal(stderr.trim().split('\n').filter((line) => !line.startsWith('making ')).length, 1, stderr);
      assert.equal(readFileSync(file, 'utf8'), content, name);
      if (whole) writeFileSync(file, whole);
      else rmSync(file);
    }
    await daemon.up();
    assert.match(await daemon.ok('docker', 'volume', 'ls', '-q'), /^kept$/m);
  });
});
