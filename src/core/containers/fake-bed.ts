/** For tests of rooms above, which meet the kernel only through this one: a kernel in memory and containers without processes. */
import type { Clock } from '#lib/clock.ts';
import { fakeKernel } from '#sys/fake.ts';
import type { Kernel } from '#sys/types.ts';
import { FakeContainers } from './fake.ts';

export function openFakeBed(clock: Clock): { kernel: Kernel; containers: FakeContainers } {
  return { kernel: fakeKernel({ clock }), containers: new FakeContainers({ clock }) };
}
