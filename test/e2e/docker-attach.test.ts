/** Several clients attached to one container, by the real CLI: what each types and is shown, how each goes, and when the daemon goes. */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { after, before, describe, test } from 'node:test';
import { eventually, finished, TestEngine, whyNoDocker } from '#test/support/engine.ts';

describe('attached clients', { skip: whyNoDocker() }, () => {
  let engine: TestEngine;

  before(async () => {
    engine = await new TestEngine().open();
    await engine.importBusybox('bb:1');
  });
  after(() => engine.end());

  /** What a client was shown so far. */
  function shown(child: ChildProcess): () => string {
    let text = '';
    child.stdout?.on('data', (chunk: Buffer) => (text += chunk.toString()));
    return () => text;
  }

  /** A client, once the daemon has it. */
  async function attached(name: string, ...options: string[]): Promise<{ child: ChildProcess; seen: () => string; end: ReturnType<typeof finished> }> {
    const over = new AbortController();
    const events = engine.engine.system.events({ filters: { event: ['attach'], container: [name] } }, over.signal);
    const child = engine.spawn('attach', ...options, name);
    const result = { child, seen: shown(child), end: finished(child) };
    for await (const _ of events) break;
    over.abort();
    return result;
  }

  test('what they type is merged, all are shown all; the end of one’s input is no end for the others', async () => {
    await engine.ok('run', '-di', '--name', 'cat', 'bb:1', 'cat');
    const [a, b] = [await attached('cat'), await attached('cat')];
    a.child.stdin?.write('from a\n');
    await eventually(() => a.seen() === 'from a\n' && b.seen() === 'from a\n', 'both to see it');
    b.child.stdin?.write('from b\n');
    await eventually(() => a.seen() === 'from a\nfrom b\n' && b.seen() === a.seen(), 'both to see it');
    a.child.stdin?.end();
    // as with dockerd it is shown no more, and its CLI waits for the container's end
    let ticks = 0;
    await eventually(async () => {
      const tick = `tick ${ticks++}\n`;
      b.child.stdin?.write(tick);
      await eventually(() => b.seen().endsWith(tick), 'the other to be served');
      await sleep(50);
      return !a.seen().includes(tick);
    }, 'the end of its output');
    b.child.kill('SIGKILL');
    await b.end;
    const c = await attached('cat');
    c.child.stdin?.write('from c\n');
    await eventually(() => c.seen() === 'from c\n', 'the next one to be served');
    c.child.kill();
    await engine.ok('rm', '-f', 'cat');
    assert.equal((await a.end).code, 137);
  });

  test('of one whose input is its first client’s: others that come and go do not end it, the end of the first one’s does', async () => {
    await engine.ok('create', '-i', '--name', 'once', 'bb:1', 'sh', '-c', 'cat; echo over; exit 5');
    const first = engine.spawn('start', '-ai', 'once');
    const seen = shown(first);
    const end = finished(first);
    first.stdin?.write('one\n');
    await eventually(() => seen() === 'one\n', 'the first line');
    const looking = await attached('once', '--no-stdin');
    looking.child.kill('SIGKILL');
    await looking.end;
    first.stdin?.write('two\n');
    await eventually(() => seen() === 'one\ntwo\n', 'the second line');
    first.stdin?.end();
    assert.deepEqual([(await end).code, seen()], [5, 'one\ntwo\nover\n']);
    await engine.ok('start', 'once');
    const killed = await attached('once');
    killed.child.kill('SIGKILL');
    assert.equal(await engine.ok('wait', 'once'), '5', 'its input goes with its client');
    await engine.ok('rm', 'once');
  });

  test('each has detach keys of its own', async () => {
    await engine.ok('run', '-dit', '--name', 'tty', 'bb:1', 'cat');
    const [a, b] = [engine.terminal('attach', '--detach-keys', 'ctrl-x,x', 'tty'), engine.terminal('attach', 'tty')];
    const [seenA, seenB] = [shown(a), shown(b)];
    const [endA, endB] = [finished(a), finished(b)];
    await sleep(700);
    a.stdin?.write('\x10\x11both\n');
    await eventually(() => /both/.test(seenA()) && /both/.test(seenB()), 'both to see it');
    a.stdin?.write('\x18x');
    assert.match((await endA).stdout, /read escape sequence/);
    b.stdin?.write('\x18xstill\n');
    await eventually(() => /still/.test(seenB()), 'the other to be attached');
    b.stdin?.write('\x10\x11');
    assert.match((await endB).stdout, /read escape sequence/);
    assert.equal(await engine.ok('ps', '--filter', 'name=tty', '--format', '{{.Names}}'), 'tty');
    await engine.ok('rm', '-f', 'tty');
  });

  test('with logs=1: what was printed and what comes, nothing twice and nothing left out', async () => {
    const last = 4000;
    await engine.ok('run', '-d', '--name', 'counts', 'bb:1', 'sh', '-c', `i=0; while [ $i -lt ${last} ]; do i=$((i+1)); echo $i; [ $((i%50)) = 0 ] && sleep 0.02; done; echo -n prompt; sleep 2`);
    const options = { stream: true, stdin: false, stdout: true, stderr: true, logs: true, detachKeys: '' };
    const expected = `${Array.from({ length: last }, (_, i) => i + 1).join('\n')}\nprompt`;
    const early: string[] = [];
    const all = Array.from({ length: 8 }, async (_, i) => {
      await sleep(i * 130);
      const { streams } = await engine.engine.containers.attach('counts', options);
      let text = '';
      streams.onOutput((_stream, data) => (text += Buffer.from(data).toString()));
      await eventually(() => text.endsWith('prompt'), 'a line that is not whole');
      early.push(text);
      await new Promise<void>((resolve) => streams.onEnd(() => resolve()));
      return text;
    });
    for (const text of await Promise.all(all)) assert.equal(text, expected);
    assert.equal(early.length, 8);
    await engine.ok('rm', '-f', 'counts');
    await engine.ok('create', '--name', 'twice', 'bb:1', 'echo', 'hello');
    for (const expected of ['hello\n', 'hello\nhello\n']) {
      const { streams } = await engine.engine.containers.attach('twice', options);
      let text = '';
      streams.onOutput((_stream, data) => (text += Buffer.from(data).toString()));
      const ended = new Promise<void>((resolve) => streams.onEnd(() => resolve()));
      await engine.ok('start', 'twice');
      await ended;
      await engine.ok('wait', 'twice');
      assert.equal(text, expected, 'attached before its start');
    }
    await engine.ok('rm', 'twice');
  });

  test('one that reads slowly is given all, though the process has ended long before', async () => {
    const kilobytes = 900;
    const child = engine.spawn('run', '--name', 'slow', 'bb:1', 'dd', 'if=/bin/busybox', 'bs=1024', `count=${kilobytes}`);
    await eventually(async () => (await engine.docker('inspect', '-f', '{{.State.Status}}', 'slow')).stdout === 'exited\n', 'its end');
    let bytes = 0;
    child.stdout?.on('data', (chunk: Buffer) => (bytes += chunk.length));
    assert.equal((await finished(child)).code, 0);
    assert.equal(bytes, kilobytes * 1024);
    await engine.ok('rm', 'slow');
  });

  test('one that never reads ends nothing, and its container can be removed', async () => {
    await engine.ok('run', '-d', '--name', 'loud', 'bb:1', 'sh', '-c', 'while :; do cat /bin/busybox; done');
    const dead = await attached('loud');
    dead.child.stdout?.pause();
    dead.child.kill('SIGSTOP');
    await sleep(500);
    await engine.ok('rm', '-f', 'loud');
    dead.child.kill('SIGKILL');
  });

  test('the daemon killed with clients attached: the container runs on, and serves those that come then', async () => {
    const script = 'while read line; do echo "heard $line"; done';
    await engine.ok('run', '-di', '--name', 'talks', 'bb:1', 'sh', '-c', script);
    await engine.ok('run', '-d', '--name', 'loud', 'bb:1', 'sh', '-c', 'while :; do echo x; cat /bin/busybox; done');
    const clients = [await attached('talks'), await attached('talks'), await attached('loud'), await attached('loud')];
    await engine.reopen(() => sleep(300));
    for (const { child, end } of clients) {
      child.kill();
      await end;
    }
    const next = await attached('talks');
    next.child.stdin?.write('me\n');
    await eventually(() => next.seen() === 'heard me\n', 'the answer');
    next.child.kill();
    assert.equal(await engine.ok('inspect', '-f', '{{.State.Status}}', 'loud'), 'running');
    await engine.ok('rm', '-f', 'talks', 'loud');
  });
});
