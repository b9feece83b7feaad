import { mkdtempSync, rmSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { VirtualClock } from '#lib/clock-virtual.ts';
import { systemRandom } from '#lib/random.ts';
import { openContent } from '#core/content/store.ts';
import { fakeSnapshots } from './fake.ts';
import { snapshotsSuite } from './suite.ts';

snapshotsSuite('snapshots as plain copies', async () => {
  const root = mkdtempSync(join(tmpdir(), 'copies-'));
  const content = await openContent({ root, clock: new VirtualClock(), random: systemRandom });
  await mkdir(join(root, 'copies'));
  const snapshots = fakeSnapshots({ root: join(root, 'copies'), content });
  return { content, snapshots, end: async () => rmSync(root, { recursive: true, force: true }) };
});
