import assert from 'node:assert/strict';
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { isFault } from '#lib/errors.ts';
import type { Content } from '#core/content/types.ts';
import { chainOn } from './chain.ts';
import { directory, file, putLayer } from './testing.ts';
import type { ChainId, Snapshots } from './types.ts';

export interface SnapshotsUnderTest {
  content: Content;
  snapshots: Snapshots;
  end(): Promise<void>;
}

function namesIn(root: string): string[] {
  return readdirSync(root, { recursive: true, encoding: 'utf8' }).sort();
}

/** What every implementation of `Snapshots` keeps. */
export function snapshotsSuite(name: string, open: () => Promise<SnapshotsUnderTest>): void {
  describe(name, () => {
    let place: SnapshotsUnderTest;
    before(async () => {
      place = await open();
    });
    after(() => place.end());
    const unpack = async (parent: ChainId, members: Parameters<typeof putLayer>[1]): Promise<ChainId> => {
      const layer = await putLayer(place.content, members);
      return place.snapshots.unpack(parent, layer.descriptor, layer.diffId);
    };

    it('a layer that goes has nothing made on it, and one that something is being made on does not go', async () => {
      const { snapshots } = place;
      for (const ahead of [0, 1, 2, 3, 5, 8, 20]) {
        const layer = await unpack('', [file(`only-${ahead}`)]);
        const made = snapshots.create(`on-${ahead}`, layer);
        for (let turn = 0; turn < ahead; turn++) await Promise.resolve();
        const [created, removed] = await Promise.allSettled([made, snapshots.removeLayer(layer)]);
        assert.notEqual(created.status, removed.status, `ahead by ${ahead}`);
        const failed = created.status === 'rejected' ? created : removed;
        assert.ok(failed.status === 'rejected' && isFault(failed.reason, 'not-found', 'conflict'));
        await snapshots.remove(`on-${ahead}`);
        await snapshots.removeLayer(layer);
        assert.equal(snapshots.has(layer), false);
      }
    });

    it('an active snapshot shows its layers and keeps its own changes', async () => {
      const { snapshots } = place;
      const base = await unpack('', [directory('etc'), file('etc/a', 'lower'), file('etc/b', 'lower')]);
      const top = await unpack(base, [file('etc/.wh.b', ''), file('etc/c', 'top')]);
      await snapshots.create('one', top);
      const root = await snapshots.mount('one');
      assert.equal(await snapshots.mount('one'), root, 'mounting twice is no error');
      assert.equal(snapshots.mountpoint('one'), root);
      assert.deepEqual(readdirSync(join(root, 'etc')).sort(), ['a', 'c']);
      writeFileSync(join(root, 'etc/a'), 'upper');
      const own = snapshots.directories('one')!;
      assert.deepEqual([own.merged, readFileSync(join(own.upper, 'etc/a'), 'utf8')], [root, 'upper']);
      assert.equal(readFileSync(join(snapshots.directories(top)!.upper, 'etc/c'), 'utf8'), 'top');
      assert.equal(snapshots.directories('none'), undefined);
      await snapshots.unmount('one');
      assert.equal(snapshots.mountpoint('one'), undefined);
      assert.equal(readFileSync(join(await snapshots.mount('one'), 'etc/a'), 'utf8'), 'upper');
      await snapshots.view(top, async (view) => assert.equal(readFileSync(join(view, 'etc/a'), 'utf8'), 'lower'));
      await assert.rejects(snapshots.create('one', top), (e) => isFault(e, 'already-exists'));
      await snapshots.remove('one');
      await snapshots.remove('one');
      // its files go soon after
      for (let looks = 0; looks < 1000 && existsSync(join(root, 'etc')); looks++) await sleep(10);
      assert.equal(existsSync(join(root, 'etc')), false);
    });

    it('the changes are told, and committed they are a layer that unpacks to the same tree', async () => {
      const { snapshots, content } = place;
      const base = await unpack('', [directory('d'), file('d/old'), directory('gone'), file('gone/x'), file('kept'), directory('again'), file('again/old')]);
      await snapshots.create('work', base);
      const root = await snapshots.mount('work');
      assert.deepEqual(await snapshots.changes('work'), []);
      writeFileSync(join(root, 'd/new'), 'new');
      writeFileSync(join(root, 'd/old'), 'changed');
      rmSync(join(root, 'gone'), { recursive: true });
      rmSync(join(root, 'again'), { recursive: true });
      mkdirSync(join(root, 'again'));
      writeFileSync(join(root, 'again/new'), 'x');
      symlinkSync('/etc/passwd', join(root, 'ln'));
      assert.deepEqual(
        (await snapshots.changes('work')).map((change) => `${change.kind} ${change.path}`),
        ['modified /again', 'added /again/new', 'deleted /again/old', 'modified /d', 'added /d/new', 'modified /d/old', 'deleted /gone', 'added /ln'],
      );
      const first = Buffer.concat(await (await snapshots.diff('work')).toArray() as Buffer[]);
      const second = Buffer.concat(await (await snapshots.diff('work')).toArray() as Buffer[]);
      assert.deepEqual(first, second, 'deterministic');
      const committed = await snapshots.commit('work');
      assert.equal(committed.chain, chainOn(base, committed.diffId));
      assert.ok(await content.stat(committed.descriptor.digest));
      assert.deepEqual(snapshots.active(), []);
      const tree = await snapshots.view(committed.chain, async (view) => namesIn(view));
      assert.deepEqual(tree, ['again', 'again/new', 'd', 'd/new', 'd/old', 'kept', 'ln']);
      await snapshots.removeLayer(committed.chain);
      assert.equal(await snapshots.unpack(base, committed.descriptor, committed.diffId), committed.chain);
      assert.deepEqual(await snapshots.view(committed.chain, async (view) => namesIn(view)), tree);
    });

    it('a layer is unpacked once, and goes when nothing stands on it', async () => {
      const { snapshots, content } = place;
      const layer = await putLayer(content, [file('only-once')]);
      const chains = await Promise.all([1, 2, 3].map(() => snapshots.unpack('', layer.descriptor, layer.diffId)));
      assert.equal(new Set(chains).size, 1);
      const chain = chains[0]!;
      await snapshots.create('user', chain, { labels: { owner: 'me' } });
      assert.deepEqual(snapshots.active(), [{ key: 'user', parent: chain, labels: { owner: 'me' } }]);
      await assert.rejects(snapshots.removeLayer(chain), (e) => isFault(e, 'conflict') && e.message.includes('user'));
      await snapshots.remove('user');
      await snapshots.removeLayer(chain);
      assert.equal(snapshots.has(chain), false);
    });

    it('layers of one image are unpacked side by side; one that fails takes those above it along', async () => {
      const { snapshots, content } = place;
      const [one, two, three] = await Promise.all(['side-1', 'side-2', 'side-3'].map((name) => putLayer(content, [file(name)])));
      const first = snapshots.unpack('', one!.descriptor, one!.diffId);
      const second = snapshots.unpack(one!.diffId, two!.descriptor, two!.diffId);
      const third = snapshots.unpack(chainOn(one!.diffId, two!.diffId), three!.descriptor, three!.diffId);
      const chain = await third;
      await Promise.all([first, second]);
      await snapshots.view(chain, async (view) => assert.deepEqual(namesIn(view), ['side-1', 'side-2', 'side-3']));
      const bad = await putLayer(content, [file('side-bad')]);
      const failing = snapshots.unpack('', one!.descriptor, bad.diffId);
      const above = snapshots.unpack(bad.diffId, two!.descriptor, two!.diffId);
      const ends = await Promise.allSettled([failing, above]);
      assert.deepEqual(ends.map((end) => end.status), ['rejected', 'rejected']);
      assert.equal(snapshots.has(chainOn(bad.diffId, two!.diffId)), false);
    });

    it('what does not have the announced digest becomes no layer', async () => {
      const { snapshots, content } = place;
      const layer = await putLayer(content, [file('evil')]);
      const other = await putLayer(content, [file('good')]);
      await assert.rejects(snapshots.unpack('', layer.descriptor, other.diffId), (e) => isFault(e, 'invalid') && e.message.includes(other.diffId));
      assert.equal(snapshots.has(other.diffId), false);
      await assert.rejects(snapshots.create('x', other.diffId), (e) => isFault(e, 'not-found'));
    });

    it('a snapshot of nothing is an empty directory', async () => {
      const { snapshots } = place;
      await snapshots.create('scratch', '');
      const root = await snapshots.mount('scratch');
      assert.deepEqual(readdirSync(root), []);
      writeFileSync(join(root, 'hello'), 'x');
      assert.deepEqual(await snapshots.usage('scratch'), { bytes: 1, inodes: 1 });
      assert.equal(lstatSync(root).mode & 0o7777, 0o755);
      await snapshots.remove('scratch');
    });
  });
}
