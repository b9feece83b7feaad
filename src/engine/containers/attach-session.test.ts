import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Streams } from '#core/containers/types.ts';
import { AttachSession } from './attach-session.ts';

type Handler = (stream: 'stdout' | 'stderr', data: Buffer) => void;

/** A process's streams that a test drives. */
function process(): Streams & { say(text: string): void; end(): void; calls: string[] } {
  const calls: string[] = [];
  const early: Buffer[] = [];
  let output: Handler = (_, data) => void early.push(data);
  let ended: () => void = () => {};
  return {
    calls,
    say: (text) => output('stdout', Buffer.from(text)),
    end: () => ended(),
    onOutput: (handler) => {
      output = handler;
      for (const data of early.splice(0)) handler('stdout', data);
    },
    onEnd: (handler) => void (ended = handler),
    write: (data) => {
      calls.push(`write ${Buffer.from(data).toString()}`);
      return Promise.resolve();
    },
    endInput: () => void calls.push('end input'),
    pause: () => void calls.push('pause'),
    resume: () => void calls.push('resume'),
    close: () => void calls.push('close'),
  };
}

function open(options: { tty?: boolean } = {}): { session: AttachSession; seen: string[]; listen: () => void } {
  const seen: string[] = [];
  const session = new AttachSession({ stdin: true, tty: options.tty ?? false, detachKeys: '', onDetach: () => seen.push('detach'), onClose: () => seen.push('close') });
  const listen = (): void => {
    session.onOutput((_stream, data) => seen.push(Buffer.from(data).toString()));
    session.onEnd(() => seen.push('end'));
  };
  return { session, seen, listen };
}

test('a client that comes before the run: its input waits for it, and no output is lost', async () => {
  const { session, seen, listen } = open();
  const written = session.write(Buffer.from('early'));
  session.endInput();
  const run = process();
  session.connect(run);
  run.say('first');
  await written;
  listen();
  run.say('second');
  run.end();
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(seen, ['first', 'second', 'close', 'end']);
  assert.deepEqual(run.calls, ['write early', 'end input']);
});

test('a session that never meets a run ends, also before anybody listens', async () => {
  const { session, seen, listen } = open();
  const written = session.write(Buffer.from('lost'));
  session.finish();
  listen();
  await written;
  assert.deepEqual(seen, ['close', 'end']);
});

test('a log is shown as fast as the client takes it, in the place of the run’s output, and to its end', async () => {
  const { session, seen, listen } = open();
  const run = process();
  let gone: AbortSignal | undefined;
  async function* log({ ended, signal }: { ended: Promise<unknown>; signal: AbortSignal }): AsyncGenerator<{ stream: 'stdout'; data: Buffer }> {
    gone = signal;
    for (const text of ['a', 'b']) yield { stream: 'stdout' as const, data: Buffer.from(text) };
    await ended;
    yield { stream: 'stdout' as const, data: Buffer.from('last') };
  }
  const shown = session.show(log);
  session.connect(run);
  listen();
  session.pause();
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(seen, []);
  session.resume();
  await new Promise((resolve) => setImmediate(resolve));
  run.say('b');
  assert.deepEqual(seen, ['a', 'b']);
  await session.write(Buffer.from('typed'));
  run.end();
  await shown;
  assert.deepEqual(seen, ['a', 'b', 'last', 'close', 'end']);
  assert.ok(run.calls.includes('write typed'));
  assert.equal(gone?.aborted, true);
});

test('a client that goes takes its input with it', async () => {
  const { session, listen } = open();
  const run = process();
  session.connect(run);
  listen();
  await session.write(Buffer.from('last words'));
  session.close();
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(run.calls, ['write last words', 'close', 'end input']);
});

test('detach keys end the session and leave the process; without a terminal they are input', async () => {
  const terminal = open({ tty: true });
  const run = process();
  terminal.session.connect(run);
  terminal.listen();
  await terminal.session.write(Buffer.from('x\x10\x11y'));
  assert.deepEqual(run.calls, ['write x', 'close']);
  assert.deepEqual(terminal.seen, ['detach', 'close', 'end']);
  const plain = open();
  const second = process();
  plain.session.connect(second);
  await plain.session.write(Buffer.from('\x10\x11'));
  assert.deepEqual(second.calls, ['write \x10\x11']);
});
