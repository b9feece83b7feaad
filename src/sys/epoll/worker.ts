/**
 * The thread that waits. It touches no descriptor but the epoll one: it says which watches are ready and the
 * main thread reads and writes. So a descriptor can be closed, and its number reused, without a handshake.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { errnoName } from '../errno.ts';
import { lastErrno, libc } from '../libc.ts';
import { decodeEvent, eventSize } from './events.ts';
import type { Ready } from './poller.ts';

const eventsPerWait = 64;

function run(epoll: number): void {
  const calls = libc();
  const events = Buffer.alloc(eventsPerWait * eventSize);
  for (;;) {
    const count = calls.epoll_wait(epoll, events, eventsPerWait, -1);
    if (count < 0) {
      const errno = errnoName(lastErrno());
      if (errno === 'EINTR') continue;
      throw new Error(`epoll_wait failed: ${errno}`);
    }
    const ready: Ready = [];
    for (let i = 0; i < count; i++) {
      const event = decodeEvent(events, i);
      if (event.id === 0) return; // the process ends
      ready.push([event.id, event.events]);
    }
    parentPort?.postMessage(ready);
  }
}

run((workerData as { epoll: number }).epoll);
