/**
 * No archive gets out of where it is unpacked, whichever way it comes in: every known way to try it, and mutations of them
 * under seeds. `npm run fuzz -- --seeds N` tries more.
 */
import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { whyNoContainers } from '#core/containers/testing.ts';
import { seededRandom } from '#lib/random.ts';
import { hostileArchives, mutant } from '../support/hostile-archives.ts';
import { fingerprint, namesBelow, sentinelTree } from '../support/trees.ts';
import { openDoors, temporary } from './doors.ts';
import type { Door, Doors } from './doors.ts';
import { firstSeed, seeds } from './seeds.ts';

describe('archives', { skip: whyNoContainers() }, () => {
  const place = temporary('fuzz-outside');
  const outside = sentinelTree(join(place.path, 'outside'));
  let opened: Doors;
  let untouched: string[];
  before(async () => {
    opened = await openDoors();
    untouched = fingerprint(outside);
  });
  after(async () => {
    await opened.end();
    place.end();
  });

  async function attempt(door: Door, data: Buffer, which: string): Promise<string | undefined> {
    const descriptors = readdirSync('/proc/self/fd').length;
    const message = await door.bring(data).catch((error: unknown) => {
      throw new Error(`${door.name}: ${which}: ${String(error)}`, { cause: error });
    });
    assert.deepEqual(fingerprint(outside), untouched, `${door.name}: ${which}`);
    assert.deepEqual(readdirSync(place.path), ['outside'], `${door.name}: ${which}`);
    assert.deepEqual(await door.left(), [], `${door.name}: ${which}`);
    assert.equal(existsSync('/planted'), false, `${door.name}: ${which}`);
    assert.ok(readdirSync('/proc/self/fd').length <= descriptors + 20, `${door.name}: ${which} leaves descriptors open`);
    if (message !== undefined) assert.doesNotMatch(message.replaceAll('\n', ''), /\p{Cc}/u, `${door.name}: ${which}`);
    return message;
  }

  for (const archive of hostileArchives(outside)) {
    it(`${archive.name} stays inside, by every way in`, async () => {
      for (const door of opened.doors) {
        const message = await attempt(door, archive.data, archive.name);
        if (archive.refused && door.name === 'import') assert.match(message ?? 'it was taken', archive.refused);
      }
    });
  }

  it(`mutations from ${seeds} seeds stay inside`, async () => {
    for (let seed = firstSeed; seed < firstSeed + seeds; seed++) {
      const random = seededRandom(seed);
      const data = mutant(random, outside);
      const door = opened.doors[random.int(opened.doors.length)]!;
      await attempt(door, data, `seed ${seed} (npm run fuzz -- --from ${seed} --seeds 1)`);
    }
  });

  it('nothing was planted in the daemon’s own directories', () => {
    for (const { root } of opened.doors) assert.deepEqual(namesBelow(root, 'planted'), []);
  });
});
