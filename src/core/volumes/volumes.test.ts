import assert from 'node:assert/strict';
import { chmodSync, chownSync, linkSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { createMemoryStore } from '#core/store/memory/store.ts';
import { createRecords } from '#core/store/records.ts';
import { systemClock } from '#lib/clock.ts';
import { type Fault } from '#lib/errors.ts';
import { silentLogger } from '#lib/log.ts';
import { systemRandom } from '#lib/random.ts';
import { linuxKernel } from '#sys/linux.ts';
import type { Kernel } from '#sys/types.ts';
import { openVolumes } from './open.ts';
import type { Volumes } from './types.ts';

const skip = process.getuid?.() === 0 ? false : 'it needs root';

describe('volumes', { skip }, () => {
  let directory: string;
  let kernel: Kernel;
  let records: ReturnType<typeof createRecords>;
  let volumes: Volumes;
  const open = () => openVolumes({ root: join(directory, 'volumes'), kernel, records, clock: systemClock, random: systemRandom, log: silentLogger });
  const kind = (wanted: string, message: RegExp) => (error: Fault) => error.kind === wanted && message.test(error.message);

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'gantry-volumes-'));
    kernel = linuxKernel();
    records = createRecords(createMemoryStore());
    volumes = await open();
  });
  afterEach(() => {
    kernel.mounts.unmountTree(directory);
    rmSync(directory, { recursive: true, force: true });
  });

  test('is made once by name, and found again by the next daemon', async () => {
    const made = await volumes.create({ name: 'data', labels: { for: 'blog' } });
    assert.deepEqual(await volumes.create({ name: 'data' }), made);
    assert.equal(made.anonymous, false);
    writeFileSync(join(made.mountpoint, 'kept'), 'yes');
    volumes = await open();
    assert.deepEqual(volumes.get('data')?.labels, { for: 'blog' });
    assert.equal(readFileSync(join(await volumes.use('data', 'c'), 'kept'), 'utf8'), 'yes');
    await assert.rejects(volumes.create({ name: 'data', options: { type: 'tmpfs', device: 'tmpfs' } }), kind('conflict', /data already exists with other options/));
  });

  test('without a name it gets 64 hexadecimal digits', async () => {
    const { name, anonymous } = await volumes.create({});
    assert.match(name, /^[0-9a-f]{64}$/);
    assert.equal(anonymous, true);
  });

  test('is not removed while somebody uses it', async () => {
    const { mountpoint } = await volumes.create({ name: 'data' });
    await volumes.use('data', 'one');
    await volumes.use('data', 'two');
    await volumes.use('data', 'two');
    await assert.rejects(volumes.remove('data', { force: true }), kind('conflict', /volume is in use - \[one, two\]/));
    await volumes.release('data', 'one');
    await volumes.release('data', 'two');
    await volumes.release('data', 'two');
    await volumes.remove('data');
    assert.throws(() => lstatSync(mountpoint));
    await assert.rejects(volumes.remove('data'), kind('not-found', /get data: no such volume/));
    await volumes.remove('data', { force: true });
    await assert.rejects(volumes.use('data', 'one'), kind('not-found', /no such volume/));
  });

  test('takes what an image has at its place, once: owners, modes, links and attributes', async () => {
    const source = join(directory, 'image');
    mkdirSync(join(source, 'sub'), { recursive: true });
    writeFileSync(join(source, 'sub', 'program'), 'x');
    chownSync(join(source, 'sub', 'program'), 101, 102);
    chmodSync(join(source, 'sub', 'program'), 0o4755);
    linkSync(join(source, 'sub', 'program'), join(source, 'again'));
    symlinkSync('/etc/passwd', join(source, 'outside'));
    kernel.files.setXattr(join(source, 'sub', 'program'), 'user.note', Buffer.from('kept'));
    kernel.files.makeNode(join(source, 'null'), 0o020666, 1, 3);
    chownSync(source, 33, 34);
    chmodSync(source, 0o2770);
    const { mountpoint } = await volumes.create({ name: 'data' });
    await volumes.populate('data', source);
    const program = lstatSync(join(mountpoint, 'sub', 'program'));
    assert.deepEqual([program.uid, program.gid, program.mode & 0o7777, program.nlink], [101, 102, 0o4755, 2]);
    assert.equal(lstatSync(join(mountpoint, 'again')).ino, program.ino);
    assert.equal(readlinkSync(join(mountpoint, 'outside')), '/etc/passwd');
    assert.equal(kernel.files.getXattr(join(mountpoint, 'sub', 'program'), 'user.note')?.toString(), 'kept');
    assert.equal(lstatSync(join(mountpoint, 'null')).rdev, 0x103);
    const top = lstatSync(mountpoint);
    assert.deepEqual([top.uid, top.gid, top.mode & 0o7777], [33, 34, 0o2770]);
    rmSync(join(mountpoint, 'again'));
    await volumes.populate('data', source);
    assert.deepEqual(readdirSync(mountpoint).sort(), ['null', 'outside', 'sub']);
  });

  test('takes all of what an image has or nothing: a copy that fails is tried again', async () => {
    const source = join(directory, 'image');
    mkdirSync(source);
    writeFileSync(join(source, 'a'), 'first');
    writeFileSync(join(source, 'b'), 'second');
    await volumes.create({ name: 'half' });
    const full = Object.assign(new Error('no space left'), { code: 'ENOSPC' });
    const failing = { ...kernel, files: { ...kernel.files, listXattrs: (path: string) => { if (path.endsWith('/b')) throw full; return []; } } };
    const unlucky = await openVolumes({ root: join(directory, 'volumes'), kernel: failing, records, clock: systemClock, random: systemRandom, log: silentLogger });
    await assert.rejects(unlucky.populate('half', source), full);
    const { mountpoint } = volumes.get('half')!;
    assert.deepEqual(readdirSync(mountpoint), []);
    await volumes.populate('half', source);
    assert.deepEqual(readdirSync(mountpoint).sort(), ['a', 'b']);
  });

  test('mounts what its options name while it is used, also across a restart of the daemon', async () => {
    const { mountpoint } = await volumes.create({ name: 'fast', options: { type: 'tmpfs', device: 'tmpfs', o: 'size=1m,nosuid' } });
    const mounted = () => kernel.mounts.list().filter((m) => m.target === mountpoint).length;
    assert.equal(mounted(), 0);
    await volumes.use('fast', 'one');
    volumes = await open();
    await volumes.use('fast', 'two');
    assert.equal(mounted(), 1);
    writeFileSync(join(mountpoint, 'x'), 'x'.repeat(8192));
    assert.equal((await volumes.usage('fast')).bytes, 8192);
    await volumes.release('fast', 'one');
    assert.equal(mounted(), 1);
    await volumes.release('fast', 'two');
    assert.equal(mounted(), 0);
  });

  test('binds a directory of the host by type none and o=bind', async () => {
    const host = join(directory, 'host');
    mkdirSync(host);
    writeFileSync(join(host, 'file'), 'from the host');
    await volumes.create({ name: 'bound', options: { type: 'none', device: host, o: 'bind' } });
    assert.equal(readFileSync(join(await volumes.use('bound', 'c'), 'file'), 'utf8'), 'from the host');
    await volumes.release('bound', 'c');
    await volumes.remove('bound');
    assert.equal(readFileSync(join(host, 'file'), 'utf8'), 'from the host');
  });

  test('removed where a link leads to the volumes, leaves what is bound to one of them', async () => {
    const host = join(directory, 'host');
    mkdirSync(host);
    writeFileSync(join(host, 'file'), 'from the host');
    symlinkSync(directory, join(directory, 'link'));
    const linked = await openVolumes({ root: join(directory, 'link/volumes'), kernel, records: createRecords(createMemoryStore()), clock: systemClock, random: systemRandom, log: silentLogger });
    await linked.create({ name: 'bound', options: { type: 'none', device: host, o: 'bind' } });
    await linked.use('bound', 'c');
    await linked.release('bound', 'c');
    await linked.remove('bound');
    assert.equal(readFileSync(join(host, 'file'), 'utf8'), 'from the host');
  });

  test('refuses by name what it cannot be', async () => {
    await assert.rejects(volumes.create({ name: '../up' }), kind('invalid', /includes invalid characters/));
    await assert.rejects(volumes.create({ name: 'a' }), kind('invalid', /includes invalid characters/));
    await assert.rejects(volumes.create({ name: 'data', driver: 'nfs' }), kind('not-found', /plugin "nfs" not found/));
    await assert.rejects(volumes.create({ name: 'data', options: { size: '1g' } }), kind('invalid', /invalid option: "size"/));
    await assert.rejects(volumes.create({ name: 'data', options: { type: 'tmpfs' } }), kind('invalid', /missing required option: "device"/));
    await assert.rejects(volumes.create({ name: 'data', options: { o: 'size=1m' } }), kind('invalid', /missing required option: "device"/));
    await assert.rejects(volumes.create({ name: 'data', options: { device: '/tmp', o: 'bind' } }), kind('invalid', /missing required option: "type"/));
    assert.deepEqual(volumes.list(), []);
  });
});
