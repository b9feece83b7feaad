/** Names and paths that would lead elsewhere, or be taken for a flag, or bring a line of their own: each is refused, or is what it says. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { TestEngine, whyNoDocker } from '../support/engine.ts';

describe('names that are paths, flags or lines', { skip: whyNoDocker() }, () => {
  const bed = new TestEngine();
  before(async () => {
    await bed.open();
    await bed.importBusybox('bb');
    await bed.ok('run', '-d', '--name', 'there', 'bb', 'sleep', '1000');
  });
  after(() => bed.end());

  const refused: readonly [args: string[], says: RegExp][] = [
    [['create', '--name', '../up', 'bb'], /Invalid container name \(\.\.\/up\)/],
    [['create', '--name=-flag', 'bb'], /Invalid container name \(-flag\)/],
    [['create', '--name', 'a\nb', 'bb'], /Invalid container name/],
    [['volume', 'create', '../up'], /includes invalid characters for a local volume name/],
    [['volume', 'create', '..'], /includes invalid characters for a local volume name|name must be at least two/],
    [['run', '--rm', '-v', '-up:/x', 'bb', 'true'], /includes invalid characters for a local volume name/],
    [['run', '--rm', '--mount', 'type=volume,src=v,dst=/x,volume-subpath=../..', 'bb', 'true'], /Subpath must be a relative path within the volume/],
    [['network', 'create', '../up'], /invalid|not allowed|only/i],
    [['network', 'create', '--', '-flag'], /invalid|not allowed|only/i],
    [['tag', 'bb', '../up'], /invalid reference format/],
    [['tag', 'bb', 'a:-flag'], /invalid (reference format|tag)/],
    [['run', '--rm', '-w', 'relative', 'bb', 'true'], /the working directory 'relative' is invalid, it needs to be an absolute path/],
    [['run', '--rm', '--hostname', 'a\n127.0.0.1 evil', 'bb', 'true'], /invalid|hostname/i],
    [['run', '--rm', '--add-host', 'a\n6.6.6.6 evil:1.2.3.4', 'bb', 'true'], /invalid|bad format/i],
    [['run', '--rm', '--dns-search', 'a\nnameserver 6.6.6.6', 'bb', 'true'], /invalid|not a valid/i],
    [['run', '--rm', '--dns-opt', 'a\nnameserver 6.6.6.6', 'bb', 'true'], /invalid/i],
    [['run', '--rm', '--cgroup-parent', '../../..', 'bb', 'true'], /is not the name of a control group/],
    [['run', '--rm', '--tmpfs', '/x:size=1m,lowerdir=/etc', 'bb', 'true'], /invalid tmpfs option/],
    [['run', '--rm', '--device', '/dev/../etc/passwd:/dev/x', 'bb', 'true'], /not a device node|device/i],
    [['cp', 'there:/etc/../../../../../../nothing/here', '-'], /Could not find the file/],
    [['exec', '-w', 'relative', 'there', 'true'], /chdir `relative`/],
    [['exec', '-u', 'a\nb', 'there', 'true'], /unable to find user/],
    [['exec', 'there', '--flag'], /executable file not found|no such file/],
    [['logs', '../there'], /No such container|not found/i],
    [['inspect', '../../etc'], /No such object/],
  ];

  test('what leads elsewhere is refused in one line, and makes nothing', async () => {
    const before = (await bed.ok('ps', '-aq')).split('\n').length;
    const wrong: string[] = [];
    for (const [args, says] of refused) {
      const { code, stdout, stderr } = await bed.docker(...args);
      if (code === 0 || !says.test(stderr + stdout)) wrong.push(`${JSON.stringify(args)} said ${code}: ${stdout}${stderr}`);
    }
    assert.deepEqual(wrong, []);
    assert.equal((await bed.ok('ps', '-aq')).split('\n').length, before);
    assert.deepEqual(readdirSync(bed.root).filter((name) => name === 'up'), []);
    assert.equal(existsSync(join(bed.root, '..', 'up')), false);
  });

  test('what looks like a flag is the word that it is', async () => {
    assert.equal(await bed.ok('run', '--rm', '--entrypoint', 'echo', 'bb', '--root=/', '-n'), '--root=/ -n');
    assert.equal(await bed.ok('exec', 'there', 'echo', '--version'), '--version');
    assert.match(await bed.ok('run', '--rm', '--label=--x=-y', '-e', '--X=-y', 'bb', 'env'), /^--X=-y$/m);
    assert.equal(await bed.ok('exec', 'there', 'cat', '/etc/../../../../etc/hostname'), await bed.ok('exec', 'there', 'hostname'));
  });
});
