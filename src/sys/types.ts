/**
 * The kernel, one facility a folder: `types.ts` the contract, `linux.ts` the real thing (koffi on libc,
 * libnftables), `fake.ts` one that records and models, `suite.ts` the tests that both pass.
 *
 * Calls are synchronous where the kernel answers at once (they take microseconds and must not interleave,
 * as with `setns`), and promises where it may wait. Failures are `Fault`s whose message names the call and
 * its object, whose `details.errno` is the error's name (`ENOENT`), and whose kind follows from it
 * (ENOENT not-found, EEXIST already-exists, EBUSY conflict, EPERM and EACCES forbidden, EINVAL invalid, …).
 */
import type { Cgroups } from './cgroup/types.ts';
import type { Conntrack } from './conntrack/types.ts';
import type { Files } from './fs/types.ts';
import type { Memory } from './memory/types.ts';
import type { Mounts } from './mount/types.ts';
import type { Netlinks } from './netlink/types.ts';
import type { NetNamespaces } from './netns/types.ts';
import type { Nftables } from './nft/types.ts';
import type { Processes } from './process/types.ts';
import type { SeqPackets } from './seqpacket/types.ts';
import type { Sockets } from './sockets/types.ts';

/** What rooms above are given. `linuxKernel()` in `linux.ts`, `fakeKernel()` in `fake.ts`. */
export interface Kernel {
  mounts: Mounts;
  namespaces: NetNamespaces;
  netlinks: Netlinks;
  nft: Nftables;
  conntrack: Conntrack;
  sockets: Sockets;
  cgroups: Cgroups;
  processes: Processes;
  seqpackets: SeqPackets;
  files: Files;
  memory: Memory;
}
