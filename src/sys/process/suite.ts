import { isFault } from '#lib/errors.ts';
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { Child, Processes, SpawnOptions } from './types.ts';

/** Programs that the implementation under test can start: `cat`, `sleep 60`, `false`, and `yes` (endless output). */
export function processesSuite(name: string, make: () => Processes): void {
  describe(`processes: ${name}`, () => {
    let processes: Processes;
    let children: Child[];
    beforeEach(() => {
      processes = make();
      children = [];
    });
    afterEach(async () => {
      for (const child of children) {
        if (child.pid !== undefined && processes.alive(child.pid)) processes.kill(child.pid, 9);
        await child.exited.catch(() => {});
      }
    });
    const spawn = (file: string, args: string[] = [], options?: SpawnOptions): Child & { pid: number } => {
      const child = processes.spawn(file, args, options);
      children.push(child);
      return child as Child & { pid: number };
    };

    it('runs a program to its end with input', async () => {
      const result = await processes.run('cat', [], { input: 'through' });
      assert.deepEqual([result.code, result.signal, result.stdout.toString(), result.stderr.toString()], [0, null, 'through', '']);
      assert.equal((await processes.run('false', [])).code, 1);
    });

    it('says which program is not there', async () => {
      const missing = (error: unknown): boolean => isFault(error, 'not-found') && error.message.includes('no-such-program');
      await assert.rejects(processes.run('no-such-program', []), missing);
      await assert.rejects(spawn('no-such-program').exited, missing);
    });

    it('bounds what a program may say', async () => {
      await assert.rejects(processes.run('yes', [], { limitBytes: 10_000 }), (error) => isFault(error, 'too-large'));
    });

    it('ends a program that takes too long', async () => {
      await assert.rejects(processes.run('sleep', ['60'], { timeoutMs: 50 }), (error) => isFault(error, 'timeout') && error.message.includes('sleep'));
    });

    it('signals, and tells of the end to all who wait', async () => {
      const child = spawn('sleep', ['60']);
      assert.equal(processes.alive(child.pid), true);
      const start = processes.startTime(child.pid);
      assert.ok(start !== undefined && start > 0n);
      const waits = [processes.ended(child.pid), processes.ended(child.pid)];
      processes.kill(child.pid, 0);
      processes.kill(child.pid, 15);
      await Promise.all(waits);
      assert.deepEqual(await child.exited, { code: null, signal: 'SIGTERM' });
      assert.equal(processes.alive(child.pid), false);
      assert.equal(processes.startTime(child.pid), undefined);
      assert.throws(() => processes.kill(child.pid, 15), (error) => isFault(error, 'not-found'));
      await processes.ended(child.pid);
    });

    it('stops waiting when told to', async () => {
      const child = spawn('sleep', ['60']);
      const stop = new AbortController();
      const wait = processes.ended(child.pid, stop.signal);
      stop.abort(new Error('enough'));
      await assert.rejects(wait, /enough/);
      await assert.rejects(processes.ended(child.pid, stop.signal), /enough/);
      assert.equal(processes.alive(child.pid), true);
    });

    it('never signals everything', () => {
      for (const pid of [0, -1, Number.NaN]) assert.throws(() => processes.kill(pid, 0), (error) => isFault(error, 'invalid'));
    });

    it('makes a process a likelier victim of memory shortage, within bounds', () => {
      const child = spawn('sleep', ['60']);
      processes.setOomScoreAdj(child.pid, 900);
      assert.throws(() => processes.setOomScoreAdj(child.pid, 1001), (error) => isFault(error, 'invalid'));
    });
  });
}
