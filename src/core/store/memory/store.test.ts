import { VirtualClock } from '#lib/clock-virtual.ts';
import { storeSuite } from '../suite.ts';
import { createMemoryStore, MemoryDisk } from './store.ts';

storeSuite('memory store', async () => {
  const clock = new VirtualClock();
  const disk = new MemoryDisk();
  return { clock, open: async () => createMemoryStore({ clock, disk }), cleanUp: async () => {} };
});
