import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { describe, it } from 'node:test';
import { fakeKernel } from './fake.ts';

describe('the fake kernel', () => {
  it('lets links and tables go with their namespace', () => {
    const kernel = fakeKernel();
    kernel.namespaces.pin('net', '/run/a');
    const host = kernel.netlinks.open();
    host.createVeth('v0', { name: 'eth0', namespace: '/run/a' });
    kernel.nft.run('add table ip x', '/run/a');
    kernel.namespaces.unpin('/run/a');
    assert.equal(host.link('v0'), undefined);
    kernel.namespaces.pin('net', '/run/a');
    assert.deepEqual(kernel.nft.tables('/run/a'), []);
  });

  it('ends the processes of a group that is removed', async () => {
    const kernel = fakeKernel();
    const { pid } = kernel.processes.adopt('app');
    kernel.cgroups.addProcess('g', pid);
    await kernel.cgroups.remove('g');
    assert.equal(kernel.processes.alive(pid), false);
  });
});

describe('the linux kernel', () => {
  it('loads no library and starts no thread before it is used', () => {
    const module = new URL('./linux.ts', import.meta.url).href;
    const program = `import {linuxKernel} from ${JSON.stringify(module)}; linuxKernel(); const loaded = process.report.getReport().sharedObjects.some((each) => /koffi|nftables/.test(each)); const threads = process.getActiveResourcesInfo().filter((each) => /Worker|MessagePort/.test(each)); console.log(loaded, threads.length);`;
    assert.equal(execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' }), 'false 0\n');
  });
});
