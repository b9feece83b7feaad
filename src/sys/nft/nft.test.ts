import { isFault } from '#lib/errors.ts';
import assert from 'node:assert/strict';
import { mkdtempSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { linuxNamespaces } from '../netns/linux.ts';
import { onLinuxAsRoot } from '../testing.ts';
import { fakeNftables, statementsOf } from './fake.ts';
import { linuxNftables } from './linux.ts';
import type { NftablesUnderTest } from './suite.ts';
import { nftablesSuite } from './suite.ts';
import { checkTable, faultOf } from './text.ts';

nftablesSuite('fake', () => ({ nft: fakeNftables((path) => ['/a', '/b'].includes(path)), a: '/a', b: '/b', release: () => {} }));
onLinuxAsRoot('nftables', () => nftablesSuite('linux', twoNamespaces));

function twoNamespaces(): NftablesUnderTest {
  const namespaces = linuxNamespaces();
  const top = mkdtempSync(join(tmpdir(), 'gantry-nft-'));
  const [a, b] = [join(top, 'a'), join(top, 'b')];
  for (const path of [a, b]) namespaces.pin('net', path);
  const release = (): void => {
    for (const path of [a, b]) namespaces.unpin(path);
    rmSync(top, { recursive: true });
  };
  return { nft: linuxNftables(), a, b, release };
}

describe('nftables text', () => {
  it('becomes a fault of the kind that the kernel meant', () => {
    assert.equal(faultOf('Error: Could not process rule: File exists\nadd …', '').kind, 'already-exists');
    assert.equal(faultOf('Error: syntax error, unexpected newline', '').kind, 'invalid');
    assert.ok(faultOf('', 'add rule x').message.includes('add rule x'));
  });

  it('is split into statements outside braces', () => {
    assert.deepEqual(statementsOf('# all\nadd table ip x; add chain ip x y { a; b\n c }\n\nflush ruleset'), ['add table ip x', 'add chain ip x y { a; b\n c }', 'flush ruleset']);
  });

  it('takes no commands in the name of a table', () => {
    assert.throws(() => checkTable('ip x; flush ruleset'), (error) => isFault(error, 'invalid'));
    assert.equal(checkTable('inet gantry-1a2b'), 'inet gantry-1a2b');
  });
});

onLinuxAsRoot('nftables in a namespace', () => {
  it('leaves the thread where it was, also after a failure', () => {
    const { nft, a, release } = twoNamespaces();
    const home = readlinkSync('/proc/thread-self/ns/net');
    try {
      nft.run('add table ip x', a);
      assert.throws(() => nft.run('nonsense', a));
      assert.equal(readlinkSync('/proc/thread-self/ns/net'), home);
      assert.ok(!linuxNftables().tables().includes('ip x'));
    } finally {
      release();
    }
  });
});
