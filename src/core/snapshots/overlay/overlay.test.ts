import { onLinuxAsRoot } from '#sys/testing.ts';
import { snapshotsSuite } from '../suite.ts';
import { testPlace } from '../testing.ts';

onLinuxAsRoot('overlay snapshots', () => {
  snapshotsSuite('overlay snapshots', () => testPlace('overlay'));
});
