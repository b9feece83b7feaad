import type { Clock } from '#lib/clock.ts';
import type { FakeCgroups } from './cgroup/fake.ts';
import { fakeCgroups } from './cgroup/fake.ts';
import type { FakeConntrack } from './conntrack/fake.ts';
import { fakeConntrack } from './conntrack/fake.ts';
import type { FakeFiles } from './fs/fake.ts';
import { fakeFiles } from './fs/fake.ts';
import type { FakeMemory } from './memory/fake.ts';
import { fakeMemory } from './memory/fake.ts';
import type { FakeMounts } from './mount/fake.ts';
import { fakeMounts } from './mount/fake.ts';
import type { FakeNetlinks } from './netlink/fake.ts';
import { fakeNetlinks } from './netlink/fake.ts';
import type { FakeNamespaces } from './netns/fake.ts';
import { fakeNamespaces } from './netns/fake.ts';
import type { FakeNftables } from './nft/fake.ts';
import { fakeNftables } from './nft/fake.ts';
import type { FakeProcesses, FakeProgram } from './process/fake.ts';
import { fakeProcesses } from './process/fake.ts';
import type { FakeSeqPackets } from './seqpacket/fake.ts';
import { fakeSeqPackets } from './seqpacket/fake.ts';
import type { FakeSockets } from './sockets/fake.ts';
import { fakeSockets } from './sockets/fake.ts';
import type { Kernel } from './types.ts';

export interface FakeKernel extends Kernel {
  mounts: FakeMounts;
  namespaces: FakeNamespaces;
  netlinks: FakeNetlinks;
  nft: FakeNftables;
  conntrack: FakeConntrack;
  sockets: FakeSockets;
  cgroups: FakeCgroups;
  processes: FakeProcesses;
  seqpackets: FakeSeqPackets;
  files: FakeFiles;
  memory: FakeMemory;
}

export interface FakeKernelOptions {
  clock?: Clock;
  cgroupVersion?: 1 | 2;
  /** What each program does when it is started. */
  programs?: Readonly<Record<string, (program: FakeProgram) => void>>;
}

/** A kernel in memory whose facilities know of each other: a namespace that is let go takes its links and tables along. */
export function fakeKernel(options: FakeKernelOptions = {}): FakeKernel {
  const namespaces = fakeNamespaces((path) => {
    netlinks.drop(path);
    nft.drop(path);
    conntrack.drop(path);
  });
  const exists = (path: string): boolean => namespaces.isPinned(path) || path.startsWith('/proc/');
  const netlinks = fakeNetlinks(exists);
  const nft = fakeNftables(exists);
  const conntrack = fakeConntrack(exists);
  const processes = fakeProcesses(options.programs, options.clock);
  const cgroups = fakeCgroups({ version: options.cgroupVersion, kill: (pid) => processes.kill(pid, 9), alive: (pid) => processes.alive(pid) });
  return { mounts: fakeMounts(), namespaces, netlinks, nft, conntrack, sockets: fakeSockets(), cgroups, processes, seqpackets: fakeSeqPackets(), files: fakeFiles(), memory: fakeMemory() };
}
