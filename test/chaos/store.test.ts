/** The embedded store, killed and torn 1,000 times. Another seed each day; a failure names it. Longer: `npm run chaos:store`. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { whyNoRecordingDisk } from './disk/recording.ts';
import { killRounds } from './store/kills.ts';
import { powerFailures } from './store/power.ts';

const seed = Math.floor(Date.now() / 86_400_000);

describe('the embedded store under writers that are cut off', () => {
  test('60 kills: each acknowledged write is there, no other is half there, revisions never go back, watches are exact', async () => {
    const { revisions, acknowledged } = await killRounds(60, seed, 'disk');
    assert.ok(revisions > 500 && acknowledged > revisions / 2, `${acknowledged} ${revisions}`);
  });

  test('940 losses of power: the same, with any part of what was not synced on the disk', { skip: whyNoRecordingDisk() }, async () => {
    const { writers, acts } = await powerFailures(940, seed);
    assert.ok(acts > 1000 * writers, 'the disk was written to');
  });
});
