import assert from 'node:assert/strict';
import { execFileSync, spawn as nodeSpawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import { isFault } from '#lib/errors.ts';
import { fakeProcesses } from './fake.ts';
import { linuxProcesses } from './linux.ts';
import { parseStat } from './stat.ts';
import { processesSuite } from './suite.ts';

processesSuite('fake', () =>
  fakeProcesses({
    cat: (program) => {
      program.stdio[0]?.on('data', (chunk: Buffer) => program.stdio[1]?.write(chunk));
      program.stdio[0]?.on('end', () => program.exit(0));
    },
    false: (program) => program.exit(1),
    yes: (program) => {
      program.stdio[1]?.write(Buffer.alloc(20_000));
      program.exit(0);
    },
    sleep: () => {},
  }),
);
if (process.platform === 'linux') processesSuite('linux', () => linuxProcesses());

describe('a process status line', () => {
  it('is read past a name that imitates it', () => {
    const tail = Array.from({ length: 30 }, (_, i) => i).join(' ');
    assert.deepEqual(parseStat(`7 (a) R 1 (b) S ${tail}`), { state: 'S', startTime: 18n });
    assert.equal(parseStat('garbage'), undefined);
  });
});

describe('children on linux', { skip: process.platform === 'linux' ? false : 'the host is not Linux' }, () => {
  const processes = linuxProcesses();

  it('get the descriptors that are listed, up to the fifth and no other', async () => {
    const kept = openSync('/dev/null', 'r');
    const zero = openSync('/dev/zero', 'r');
    try {
      const script = 'echo out >&1; cat <&3 >&4; ls -l /proc/self/fd | sed -n "s/.* \\([0-9]*\\) -> .*/\\1/p" | tr "\\n" " " >&2; readlink /proc/self/fd/5 >&2';
      const child = processes.spawn('sh', ['-c', script], { stdio: ['ignore', 'pipe', 'pipe', 'pipe', 'pipe', zero] });
      (child.stdio[3] as Writable).end('over three');
      const [out, err, four] = await Promise.all([text(child.stdio[1] as Readable), text(child.stdio[2] as Readable), text(child.stdio[4] as Readable)]);
      assert.deepEqual(await child.exited, { code: 0, signal: null });
      assert.deepEqual([out, four], ['out\n', 'over three']);
      const [fds = '', fifth] = err.split('\n').join(' ').split(' /');
      assert.equal(fifth?.trim(), 'dev/zero');
      assert.deepEqual(fds.trim().split(' ').filter((fd) => Number(fd) > 6), []);
    } finally {
      closeSync(kept);
      closeSync(zero);
    }
  });

  it('started lightly have what others have', async () => {
    const script = 'cat <&3; pwd; echo $A; trap; kill -s PIPE $$';
    const child = processes.spawn('/bin/sh', ['-c', script], { cwd: '/tmp', env: { A: 'b', PATH: '/bin:/usr/bin' }, stdio: ['ignore', 'pipe', 'ignore', 'pipe'], detached: true, light: true });
    (child.stdio[3] as Writable).end('three\n');
    assert.equal(readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[3], String(child.pid), 'leads a session of its own');
    assert.equal(await text(child.stdio[1] as Readable), 'three\n/tmp\nb\n');
    assert.deepEqual(await child.exited, { code: null, signal: 'SIGPIPE' }, 'no signal is ignored');
    await assert.rejects(processes.spawn('/no-such-program', [], { light: true }).exited, /start \/no-such-program: no such file/);
    assert.throws(() => processes.spawn('/bin/true', [], { light: true, stdio: ['inherit'] }), /pipes or nothing/);
  });

  it('leave nothing open where there are no descriptors for their pipes', async () => {
    const module = new URL('./linux.ts', import.meta.url).href;
    // with 3 that are free, the first pair of sockets is made and the second is not
    const program = `import {linuxProcesses} from ${JSON.stringify(module)}; import {closeSync, openSync, readdirSync} from 'node:fs';
      const p = linuxProcesses();
      await p.spawn('/bin/true', [], {stdio: ['pipe', 'pipe', 'pipe'], light: true}).exited;
      const held = [];
      try { for (;;) held.push(openSync('/dev/null')); } catch {}
      for (const fd of held.splice(0, 3)) closeSync(fd);
      const errors = [1, 2, 3, 4].map(() => { try { p.spawn('/bin/true', [], {stdio: ['pipe', 'pipe', 'pipe'], light: true}); } catch (error) { return error.details.errno; } });
      for (let i = 0; i < 3; i++) held.push(openSync('/dev/null'));
      console.log(errors.join());`;
    const { stdout, stderr } = await processes.run('/bin/sh', ['-c', 'ulimit -n 100; exec "$0" --input-type=module -e "$1"', process.execPath, program], { timeoutMs: 20_000 });
    assert.equal(stdout.toString(), 'EMFILE,EMFILE,EMFILE,EMFILE\n', stderr.toString());
  });

  it('started lightly have pipes as a shell makes them', async () => {
    const child = processes.spawn('/bin/sh', ['-c', 'cat; echo again >/dev/stdout'], { stdio: ['in', 'out', 'ignore'], light: true });
    (child.stdio[0] as Writable).end('in, ');
    assert.equal(await text(child.stdio[1] as Readable), 'in, again\n');
    assert.deepEqual(await child.exited, { code: 0, signal: null });
    assert.throws(() => processes.spawn('/bin/true', [], { stdio: ['in'] }), /only a light child/);
  });

  it('start from a copy of their program that cannot be changed', async () => {
    const copy = processes.sealedCopy('/bin/echo');
    assert.match(copy, /^\/proc\/\d+\/fd\/\d+$/);
    assert.equal((await processes.run(copy, ['from memory'])).stdout.toString(), 'from memory\n');
    assert.deepEqual(readFileSync(copy), readFileSync('/bin/echo'));
    assert.throws(() => writeFileSync(copy, 'other'), { code: 'EPERM' });
    assert.throws(() => processes.sealedCopy('/no-such-program'), (error) => isFault(error, 'not-found'));
  });

  it('get PATH as their whole environment unless one is given', async () => {
    assert.match((await processes.run('env', [])).stdout.toString(), /^PATH=[^\n]*\n$/);
    assert.equal((await processes.run('/usr/bin/env', [], { env: { A: 'b' } })).stdout.toString(), 'A=b\n');
  });

  it('outlive this process when they are detached', async () => {
    const module = new URL('./linux.ts', import.meta.url).href;
    const program = `import {linuxProcesses} from ${JSON.stringify(module)}; const c = linuxProcesses().spawn('sleep', ['60'], {detached: true}); c.unref(); console.log(c.pid);`;
    const pid = Number(execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' }));
    try {
      assert.equal(processes.alive(pid), true);
      assert.equal(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[3], String(pid), 'leads a session of its own');
      const wait = processes.ended(pid);
      processes.kill(pid, 9);
      await wait;
    } finally {
      if (processes.alive(pid)) processes.kill(pid, 9);
    }
  });

  it('may leave their input unread', async () => {
    assert.equal((await processes.run('true', [], { input: 'x'.repeat(1 << 20) })).code, 0);
  });

  it('need not be ours to be waited for; a process that waits for nothing ends by itself', async () => {
    const stranger = nodeSpawn('sleep', ['0.2']);
    await Promise.all([processes.ended(stranger.pid ?? 0), once(stranger, 'exit')]);
    const module = new URL('./linux.ts', import.meta.url).href;
    const program = `import {linuxProcesses} from ${JSON.stringify(module)}; const p = linuxProcesses(); const c = p.spawn('true', []); await p.ended(c.pid); console.log('seen');`;
    const { stdout, code } = await processes.run(process.execPath, ['--input-type=module', '-e', program], { timeoutMs: 10_000 });
    assert.deepEqual([stdout.toString(), code], ['seen\n', 0]);
    assert.ok(readlinkSync('/proc/self/exe').length > 0);
  });
});
