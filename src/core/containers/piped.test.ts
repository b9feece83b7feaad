import assert from 'node:assert/strict';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { isFault } from '#lib/errors.ts';
import { execute, openTestBed, whyNoContainers } from './testing.ts';
import type { TestBed } from './testing.ts';
import type { ExecSession } from './types.ts';

describe('containers: execs over pipes', { skip: whyNoContainers() }, () => {
  let bed: TestBed;
  before(async () => {
    bed = await openTestBed();
    mkdirSync(join(bed.rootfs, 'tmp'), { recursive: true });
    await bed.containers.create(bed.spec('here', ['sleep', '1000']));
    await bed.containers.start('here');
  });
  after(() => bed.end());
  const run = (script: string, user = 0) => execute(bed.containers, 'here', ['sh', '-c', script], { user: { uid: user, gid: user } });
  const begin = (script: string): Promise<ExecSession> =>
    bed.containers.exec('here', { process: { args: ['sh', '-c', script], env: ['PATH=/bin'], cwd: '/', user: { uid: 0, gid: 0 } }, stdin: true, attach: true });

  it('lose nothing to one who reads with pauses', async () => {
    const session = await begin('seq 1 100000; echo end >&2');
    const { pid, exited } = session;
    const streams = session.streams!;
    let [out, err] = ['', ''];
    streams.onOutput((stream, data) => {
      if (stream === 'stdout') out += data.toString();
      else err += data.toString();
      streams.pause();
      setImmediate(() => streams.resume());
    });
    assert.ok(pid > 0);
    assert.equal((await exited).code, 0);
    assert.equal(out.length, 588_895, 'all lines, before the exit was told');
    assert.equal(err, 'end\n');
  });

  it('keep their output for one who asks late', async () => {
    const session = await begin('echo early');
    while (bed.kernel.processes.alive(session.pid)) await new Promise((resolve) => setImmediate(resolve));
    let out = '';
    session.streams!.onOutput((_, data) => (out += data.toString()));
    assert.deepEqual([await session.exited, out], [{ code: 0 }, 'early\n']);
  });

  it('end with their process, though another holds their pipes', async () => {
    assert.deepEqual(await run('sleep 1000 & echo started'), { code: 0, stdout: 'started\n', stderr: '' });
  });

  it('have pipes that their user can open again, and no other descriptor', async () => {
    assert.deepEqual(await run('echo o >/dev/stdout; echo e >/dev/stderr; echo /proc/self/fd/*', 1000), { code: 0, stdout: 'o\n/proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 /proc/self/fd/3\n', stderr: 'e\n' });
  });

  it('go on without their client, and see the end of their input', async () => {
    const { streams, exited } = await begin('cat; echo nobody reads this; echo done >/tmp/went-on');
    streams!.close();
    assert.equal((await exited).code, 0);
    assert.ok(existsSync(join(bed.rootfs, 'tmp/went-on')));
  });

  it('take more input than a pipe holds, or none of it', async () => {
    const { streams, exited } = await begin('wc -c');
    let out = '';
    streams!.onOutput((_, data) => (out += data.toString()));
    await streams!.write(Buffer.alloc(300_000));
    streams!.endInput();
    assert.deepEqual([await exited, out], [{ code: 0 }, '300000\n']);
    const deaf = await begin('exit 3');
    deaf.streams!.onOutput(() => {});
    await deaf.streams!.write(Buffer.alloc(300_000));
    assert.equal((await deaf.exited).code, 3);
  });

  it('can be killed, until they have ended', async () => {
    const session = await begin('sleep 1000');
    session.streams!.onOutput(() => {});
    await session.kill(9);
    assert.equal((await session.exited).code, 137);
    await assert.rejects(session.kill(9), (error) => isFault(error, 'not-found'));
    await assert.rejects(session.resize({ rows: 1, columns: 1 }), (error) => isFault(error, 'conflict'));
  });

  it('say why they cannot begin', async () => {
    writeFileSync(join(bed.rootfs, 'tmp/plain'), '', { mode: 0o644 });
    const cases: [string, number, RegExp][] = [
      ['/tmp/plain', 126, /permission denied/],
      ['/tmp', 126, /is a directory/],
      ['/no/such', 127, /no such file or directory/],
    ];
    for (const [program, code, why] of cases) {
      await assert.rejects(execute(bed.containers, 'here', [program]), (error) => isFault(error, 'invalid') && error.details['exitCode'] === code && why.test(error.message), program);
    }
  });
});
