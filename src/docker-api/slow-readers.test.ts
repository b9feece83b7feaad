/** Clients that do not read what they asked for: what they are sent waits or is left out, and is not gathered for them. */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { JsonMessage } from '#api/docker/common.ts';
import { serveDoor } from '#test/support/docker-door.ts';
import type { AttachStreams } from './backends.ts';

const kibibyte = 1024;
const line = Buffer.alloc(32 * kibibyte, 'x');
const most = 2000;
let told = 0;
let paused = false;
let closed = 0;

/** A line, and then a turn of the loop, as from a process that prints on and on. */
async function* lines(): AsyncGenerator<{ stream: 'stdout'; time: bigint; data: Uint8Array }> {
  for (; told < most; told++) {
    yield { stream: 'stdout', time: 0n, data: line };
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const streams: AttachStreams = {
  onOutput: (handler) => {
    void (async () => {
      for (; told < most && !paused; told++) {
        handler('stdout', line);
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
  },
  onEnd: () => {},
  write: () => Promise.resolve(),
  endInput: () => {},
  pause: () => (paused = true),
  resume: () => {},
  close: () => void closed++,
};

const backends = {
  containers: {
    logs: () => Promise.resolve({ tty: false, entries: lines() }),
    attach: async (reference: string) => {
      if (reference === 'late') await sleep(200);
      return { tty: true, streams };
    },
  },
  images: {
    push: async (_options: object, emit: (message: JsonMessage) => void) => {
      for (; told < most; told++) {
        emit({ status: line.toString(), id: 'a' });
        if (told % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      await sleep(200);
      emit({ aux: { Tag: 'last' } });
    },
  },
};

const socketPath = serveDoor(backends);

/** Asks, and then does not read. */
function ask(target: string): Socket {
  told = 0;
  paused = false;
  const socket = connect(socketPath);
  socket.pause();
  socket.write(`${target} HTTP/1.1\r\nHost: x\r\nConnection: ${target.includes('attach') ? 'Upgrade\r\nUpgrade: tcp' : 'close'}\r\n\r\n`);
  return socket;
}

/** Until nothing more is told for a while. */
async function settled(): Promise<void> {
  for (let before = -1; before !== told || told === 0; await sleep(100)) before = told;
}

test('a log waits for its reader, and goes on', async () => {
  const socket = ask('GET /containers/c/logs?stdout=1&follow=1');
  await settled();
  assert.ok(told < most / 4, `${told} lines of ${most} were taken from the log`);
  let bytes = 0;
  for await (const chunk of socket) bytes += (chunk as Buffer).length;
  assert.equal(told, most);
  assert.ok(bytes > most * line.length);
});

test('an attached client that does not read holds up the process’s output, not memory', async () => {
  const socket = ask('POST /containers/c/attach?stream=1&stdout=1');
  await settled();
  assert.equal(paused, true);
  assert.ok(told < most / 4, `${told} lines of ${most} were taken`);
  socket.destroy();
});

test('a client that vanishes while it is being attached is let go of', async () => {
  const socket = connect(socketPath);
  socket.write('POST /containers/late/attach?stream=1&stdout=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n');
  await sleep(50);
  const before = closed;
  socket.destroy();
  await sleep(300);
  assert.equal(closed, before + 1);
});

test('progress that nobody reads is left out, and said to be; how it ended is told', async () => {
  const socket = ask('POST /images/x/push');
  await settled();
  assert.equal(told, most, 'the work goes on');
  let text = '';
  for await (const chunk of socket) text += (chunk as Buffer).toString('latin1');
  assert.ok(text.length < 20 << 20, `${text.length} bytes were kept`);
  assert.match(text, /\{"stream":"\[\d+ pieces of output left out: the client did not read them in time\]\\n"\}/);
  assert.match(text, /"aux":\{"Tag":"last"\}/);
});
