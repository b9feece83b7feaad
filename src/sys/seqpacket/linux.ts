import type { Clock } from '#lib/clock.ts';
import { openPath } from '#lib/open-flags.ts';
import { systemClock } from '#lib/clock.ts';
import { Backoff } from '#lib/backoff.ts';
import { closeSync, constants, openSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { Poller } from '../epoll/poller.ts';
import { sharedPoller } from '../epoll/poller.ts';
import { errnoFault, errnoName, faulting } from '../errno.ts';
import { check, lastErrno, libc } from '../libc.ts';
import { AF_UNIX, encodeUnix, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_SEQPACKET, unixPathLimit } from '../sockaddr.ts';
import { Connection } from './connection.ts';
import type { SeqPacket, SeqPackets } from './types.ts';

/** A listener whose queue is full is tried again for about this long. */
const connectAttempts = 12;
const firstWaitMs = 1;
const longestWaitMs = 250;

export function linuxSeqPackets(poller: Poller = sharedPoller(), clock: Clock = systemClock): SeqPackets {
  return { connect: (path) => connect(poller, clock, path) };
}

async function connect(poller: Poller, clock: Clock, path: string): Promise<SeqPacket> {
  const what = `connect to ${path}`;
  const fd = check(libc().socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), what);
  try {
    const wait = new Backoff(firstWaitMs, longestWaitMs);
    for (let attempt = 1; ; attempt++) {
      const errno = tryConnect(fd, path, what);
      if (errno === undefined) return new Connection(poller, fd, path);
      // The kernel does not tell when a listener's queue has room again.
      if (errno !== 'EAGAIN' || attempt === connectAttempts) throw errnoFault(errno, what);
      await clock.sleep(wait.next());
    }
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function tryConnect(fd: number, path: string, what: string): string | undefined {
  if (Buffer.byteLength(path) < unixPathLimit) return connectTo(fd, path);
  const directory = faulting(what, () => openSync(dirname(path), openPath | constants.O_DIRECTORY));
  try {
    return connectTo(fd, `/proc/self/fd/${directory}/${basename(path)}`);
  } finally {
    closeSync(directory);
  }
}

function connectTo(fd: number, path: string): string | undefined {
  const address = encodeUnix(path);
  return libc().connect(fd, address, address.length) === 0 ? undefined : errnoName(lastErrno());
}
