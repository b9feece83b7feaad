import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from '#lib/clock-virtual.ts';
import { deferred } from '#lib/async.ts';
import { clientBehindBytes } from './attachment.ts';
import { Attachments, endedMs, killedMs, stalledMs } from './attachments.ts';
import type { Input } from './attachments.ts';
import type { Streams } from './types.ts';

/** A process's streams in the hands of a test, and its clients. */
function open(input: Input = 'open') {
  const calls: string[] = [];
  const ended = deferred<void>();
  const clock = new VirtualClock();
  let output: Parameters<Streams['onOutput']>[0] = () => {};
  let over: () => void = () => {};
  let paused = false;
  const source: Streams = {
    onOutput: (handler) => void (output = handler),
    onEnd: (handler) => void (over = handler),
    write: (data) => {
      calls.push(`write ${Buffer.from(data).toString()}`);
      return Promise.resolve();
    },
    endInput: () => void calls.push('end input'),
    pause: () => void (paused = true),
    resume: () => void (paused = false),
    close: () => void calls.push('close'),
  };
  const connect = (): Promise<Streams> => {
    calls.push('connect');
    return Promise.resolve(source);
  };
  const all = new Attachments({ connect, input, clock, processEnded: () => ended.promise });
  const client = async (): Promise<{ streams: Streams; seen: string[] }> => {
    const streams = await all.attach();
    const seen: string[] = [];
    streams.onOutput((_, data) => seen.push(data.length > 20 ? 'much' : data.toString()));
    streams.onEnd((cause) => seen.push(cause ? cause.message : 'end'));
    return { streams, seen };
  };
  const say = (text: string): void => output('stdout', Buffer.from(text));
  return { calls, clock, client, say, isPaused: () => paused, exit: () => ended.resolve(), kill: () => all.killed(), end: () => over() };
}

const much = 'x'.repeat(clientBehindBytes);
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('all share one connection: each gets what is printed, and what it types is merged', async () => {
  const { calls, client, say, end } = open();
  const [a, b] = await Promise.all([client(), client()]);
  say('one');
  await a.streams.write(Buffer.from('A'));
  await b.streams.write(Buffer.from('B'));
  a.streams.close();
  say('two');
  end();
  assert.deepEqual([a.seen, b.seen], [['one', 'end'], ['one', 'two', 'end']]);
  assert.deepEqual(calls, ['connect', 'write A', 'write B']);
});

test('the connection goes with the last client, and comes with the next', async () => {
  const { calls, client } = open();
  (await client()).streams.close();
  await turn();
  (await client()).streams.close();
  await turn();
  assert.deepEqual(calls, ['connect', 'close', 'connect', 'close']);
});

test('where the end of the connection would end the input, it stays until a client’s input has ended', async () => {
  const { calls, client } = open('once');
  (await client()).streams.close();
  await turn();
  const typing = await client();
  typing.streams.endInput();
  typing.streams.endInput();
  assert.deepEqual([calls, typing.seen], [['connect', 'end input'], []]);
  typing.streams.close();
  await turn();
  assert.equal(calls.at(-1), 'close');
});

test('where the process has no input, the supervisor is told at once that none will come', async () => {
  const { calls, client } = open('none');
  const only = await client();
  only.streams.endInput();
  assert.deepEqual([calls, only.seen], [['connect', 'end input'], []]);
});

test('the end of a client’s input: without `once` the process reads on, and the client is shown no more', async () => {
  const { calls, client, say } = open();
  const [a, b] = [await client(), await client()];
  say('one');
  a.streams.endInput();
  say('two');
  assert.deepEqual([a.seen, b.seen, calls], [['one', 'end'], ['one', 'two'], ['connect']]);
});

test('one that falls behind makes the process wait until it has caught up, and loses nothing', async () => {
  const { client, clock, say, isPaused, end } = open();
  const slow = await client();
  slow.streams.pause();
  say('one');
  assert.equal(isPaused(), false);
  say(much);
  assert.equal(isPaused(), true);
  await clock.advance(stalledMs * 100);
  slow.streams.resume();
  assert.equal(isPaused(), false);
  say('two');
  end();
  assert.deepEqual(slow.seen, ['one', 'much', 'two', 'end']);
});

test('many small pieces are much, too', async () => {
  const { client, say, isPaused } = open();
  (await client()).streams.pause();
  for (let i = 0; i < 5000 && !isPaused(); i++) say('x');
  assert.equal(isPaused(), true);
});

test('one that takes nothing while another waits is cut off, and the others go on', async () => {
  const { client, clock, say, isPaused } = open();
  const dead = await client();
  dead.streams.pause();
  say(much);
  await clock.advance(stalledMs);
  const live = await client();
  await clock.advance(stalledMs - 1);
  assert.deepEqual([isPaused(), dead.seen], [true, []]);
  await clock.advance(1);
  assert.equal(isPaused(), false);
  say('more');
  assert.deepEqual(live.seen, ['more']);
  assert.deepEqual(dead.seen, [`cut off: this client took no output for ${stalledMs / 1000} s`]);
  dead.streams.resume();
  assert.equal(dead.seen.length, 1);
});

test('one that is slow, but takes something, is not cut off; nor are all that take nothing, with nobody waiting', async () => {
  const { client, clock, say } = open();
  const [slow, other] = [await client(), await client()];
  slow.streams.onOutput((_, data) => {
    slow.seen.push(data.length > 20 ? 'much' : data.toString());
    slow.streams.pause();
  });
  for (let i = 0; i < 3; i++) say(much);
  for (let i = 0; i < 2; i++) {
    await clock.advance(stalledMs - 1);
    slow.streams.resume();
  }
  assert.deepEqual(slow.seen, ['much', 'much', 'much']);
  other.streams.pause();
  say(much);
  say(much);
  await clock.advance(stalledMs * 10);
  assert.deepEqual([slow.seen.length, other.seen.length], [3, 3]);
});

for (const [how, ms] of [['ended by itself', endedMs], ['was killed', killedMs]] as const) {
  test(`what a process has left that ${how} waits for ${ms / 1000} s`, async () => {
    const { client, clock, say, exit, kill, isPaused } = open();
    const dead = await client();
    dead.streams.pause();
    say(much);
    exit();
    await turn();
    if (ms === killedMs) kill();
    await clock.advance(ms - 1);
    assert.deepEqual([isPaused(), dead.seen], [true, []]);
    await clock.advance(1);
    assert.match(dead.seen.join(), /cut off/);
    assert.equal(isPaused(), false);
  });
}

test('a connection that cannot be made is told to each, and tried again', async () => {
  let fails = true;
  const { clock } = open();
  const streams = { onOutput: () => {}, onEnd: () => {} } as unknown as Streams;
  const all = new Attachments({ connect: () => (fails ? Promise.reject(new Error('not there')) : Promise.resolve(streams)), input: 'open', clock, processEnded: () => new Promise(() => {}) });
  await assert.rejects(Promise.all([all.attach(), all.attach()]), /not there/);
  fails = false;
  await all.attach();
});
