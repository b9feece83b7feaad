import type { Clock } from '#lib/clock.ts';
import { systemClock } from '#lib/clock.ts';
import { linuxCgroups } from './cgroup/linux.ts';
import { linuxConntrack } from './conntrack/linux.ts';
import { sharedPoller } from './epoll/poller.ts';
import { linuxFiles } from './fs/linux.ts';
import { linuxMemory } from './memory/linux.ts';
import { linuxMounts } from './mount/linux.ts';
import { linuxNetlinks } from './netlink/linux.ts';
import { linuxNamespaces } from './netns/linux.ts';
import { linuxNftables } from './nft/linux.ts';
import { linuxProcesses } from './process/linux.ts';
import { linuxSeqPackets } from './seqpacket/linux.ts';
import { linuxSockets } from './sockets/linux.ts';
import type { Kernel } from './types.ts';

/** The kernel of this machine. Nothing is loaded or started before the first call. */
export function linuxKernel(options: { clock?: Clock } = {}): Kernel {
  const clock = options.clock ?? systemClock;
  const poller = sharedPoller();
  const mounts = linuxMounts();
  return {
    mounts,
    namespaces: linuxNamespaces(poller),
    netlinks: linuxNetlinks(),
    nft: linuxNftables(),
    conntrack: linuxConntrack(),
    sockets: linuxSockets(),
    cgroups: linuxCgroups({ mounts, clock }),
    processes: linuxProcesses(poller, clock),
    seqpackets: linuxSeqPackets(poller, clock),
    files: linuxFiles(),
    memory: linuxMemory(),
  };
}
