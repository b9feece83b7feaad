import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { isFault } from '#lib/errors.ts';
import { collectOutput } from './collect.ts';
import { execute, openTestBed, whyNoContainers } from './testing.ts';
import type { TestBed } from './testing.ts';

const skip = whyNoContainers();

describe('containers: streams and execs', { skip }, () => {
  let bed: TestBed;
  before(async () => (bed = await openTestBed()));
  after(() => bed.end());

  it('gives one who attached before the start all output, in both streams', async () => {
    await bed.containers.create(bed.spec('attach', ['sh', '-c', 'echo out; echo err >&2; seq 1 20000']));
    const streams = await bed.containers.attach('attach');
    const output = collectOutput(streams);
    await bed.containers.start('attach');
    const { stdout, stderr } = await output;
    assert.equal(stderr, 'err\n');
    assert.equal(stdout.split('\n').length, 20002);
    assert.equal((await bed.containers.wait('attach')).code, 0);
    await assert.rejects(bed.containers.attach('attach'), (error) => isFault(error, 'conflict'));
    await bed.containers.remove('attach');
  });

  it('passes stdin on, and its end', async () => {
    await bed.containers.create(bed.spec('stdin', ['cat'], { stdin: true, stdinOnce: true }));
    const streams = await bed.containers.attach('stdin');
    const output = collectOutput(streams);
    await bed.containers.start('stdin');
    const data = 'x'.repeat(100_000);
    await streams.write(Buffer.from(data));
    streams.endInput();
    assert.equal((await output).stdout, data);
    assert.equal((await bed.containers.wait('stdin')).code, 0);
    await bed.containers.remove('stdin');
  });

  it('keeps stdin open for the next client where it is not for one only', async () => {
    await bed.containers.create(bed.spec('open', ['head', '-n', '2'], { stdin: true }));
    await bed.containers.start('open');
    const first = await bed.containers.attach('open');
    await first.write(Buffer.from('one\n'));
    first.close();
    await sleep(30);
    const second = await bed.containers.attach('open');
    await second.write(Buffer.from('two\n'));
    assert.equal((await bed.containers.wait('open')).code, 0);
    second.close();
    assert.match(readFileSync(`${bed.directory}/open.log`, 'utf8'), /F one\n.*F two\n/);
    await bed.containers.remove('open');
  });

  for (const count of [10, 100]) {
    it(`runs on when ${count} clients that read nothing vanish at once, and serves the others`, async () => {
      const id = `loud-${count}`;
      await bed.containers.create(bed.spec(id, ['sh', '-c', 'yes "$(seq 1 300 | tr -d "\\n")" | head -c 4000000; echo; head -n 1; sleep 100'], { stdin: true }));
      const reader = await bed.containers.attach(id);
      let seen = '';
      reader.onOutput((_, data) => (seen = (seen + data.toString()).slice(-100)));
      const clients = await Promise.all(Array.from({ length: count }, () => bed.containers.attach(id)));
      for (const client of clients) client.pause();
      await bed.containers.start(id);
      await sleep(300);
      for (const client of clients) client.close();
      await reader.write(Buffer.from('typed\n'));
      while (!seen.endsWith('\ntyped\n') && !bed.containers.get(id)?.exit) await sleep(10);
      assert.equal(bed.containers.get(id)?.state, 'running');
      await bed.containers.remove(id);
    });
  }

  it('has a terminal of the right size, at first and later', async () => {
    const script = 'stty size; trap "stty size; exit 0" WINCH; echo ready; while :; do sleep 0.02; done';
    await bed.containers.create(bed.spec('tty', ['sh', '-c', script], { stdin: true }, { terminal: true, size: { rows: 10, columns: 40 } }));
    const streams = await bed.containers.attach('tty');
    let seen = '';
    streams.onOutput((_, data) => (seen += data.toString()));
    await bed.containers.start('tty');
    while (!seen.includes('ready')) await sleep(10);
    await bed.containers.resize('tty', { rows: 33, columns: 99 });
    assert.equal((await bed.containers.wait('tty')).code, 0);
    await sleep(20);
    assert.equal(seen, '10 40\r\nready\r\n33 99\r\n');
    await bed.containers.remove('tty');
  });

  it('runs further processes: output, code, user, stdin, terminal, kill', async () => {
    await bed.containers.create(bed.spec('exec', ['sleep', '100']));
    await assert.rejects(execute(bed.containers, 'exec', ['true']), (error) => isFault(error, 'conflict'));
    await bed.containers.start('exec');
    assert.deepEqual(await execute(bed.containers, 'exec', ['sh', '-c', 'echo o; echo e >&2; exit 4']), { code: 4, stdout: 'o\n', stderr: 'e\n' });
    assert.match((await execute(bed.containers, 'exec', ['sh', '-c', 'id -u; grep Seccomp: /proc/self/status'], { user: { uid: 1000, gid: 1000 } })).stdout, /^1000\nSeccomp:\t2/);

    const process = { env: ['PATH=/bin'], cwd: '/', user: { uid: 0, gid: 0 } };
    const cat = await bed.containers.exec('exec', { process: { ...process, args: ['cat'] }, stdin: true, attach: true });
    const output = collectOutput(cat.streams!);
    await cat.streams!.write(Buffer.from('hello'));
    cat.streams!.endInput();
    assert.equal((await output).stdout, 'hello');
    assert.equal((await cat.exited).code, 0);

    // crun 1.8 sets the size of an exec's terminal beside the process that it starts: a very quick one may look before, and sees none
    const size = 'until [ -n "$(stty size 2>/dev/null)" ]; do sleep 0.1; done; stty size';
    const tty = await bed.containers.exec('exec', { process: { ...process, args: ['sh', '-c', size], terminal: true, size: { rows: 5, columns: 6 } }, stdin: true, attach: true });
    assert.equal((await collectOutput(tty.streams!)).stdout, '5 6\r\n');
    await tty.exited;

    const long = await bed.containers.exec('exec', { process: { ...process, args: ['sleep', '100'] }, attach: false });
    assert.equal(bed.containers.processes('exec').includes(long.pid), true);
    await long.kill(9);
    assert.equal((await long.exited).code, 137);
    assert.equal(bed.containers.get('exec')?.state, 'running');
    await bed.containers.remove('exec');
  });

  it('tells why an exec cannot run, and ends execs with their container', async () => {
    await bed.containers.create(bed.spec('execs', ['sleep', '100']));
    await bed.containers.start('execs');
    await assert.rejects(execute(bed.containers, 'execs', ['nosuch']), (error) => {
      assert.ok(isFault(error, 'invalid'));
      assert.equal(error.details['exitCode'], 127);
      return /executable file not found/.test(error.message);
    });
    const exec = await bed.containers.exec('execs', { process: { args: ['sleep', '100'], env: ['PATH=/bin'], cwd: '/', user: { uid: 0, gid: 0 } }, attach: false });
    await bed.containers.kill('execs', 9);
    assert.equal((await exec.exited).code, 137);
    await bed.containers.remove('execs');
  });
});
