/** What all implementations of containers keep to. Programs: `true`, `sleep`, `echo`, `cat`, a little of `sh -c`. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { isFault } from '#lib/errors.ts';
import type { FaultKind } from '#lib/errors.ts';
import { collectOutput } from './collect.ts';
import type { Containers, ContainerSpec } from './types.ts';

export interface SuiteBed {
  containers: Containers;
  spec(id: string, args: readonly string[], changes?: Partial<ContainerSpec>): ContainerSpec;
  end(): Promise<void>;
}

const kind = (...kinds: FaultKind[]) => (error: unknown): boolean => isFault(error, ...kinds);

export function containersSuite(name: string, open: () => Promise<SuiteBed>, skip?: string): void {
  describe(`containers contract: ${name}`, { skip }, () => {
    let bed: SuiteBed;
    before(async () => (bed = await open()));
    after(() => bed.end());

    const run = async (id: string, args: readonly string[], changes?: Partial<ContainerSpec>): Promise<void> => {
      await bed.containers.create(bed.spec(id, args, changes));
      await bed.containers.start(id);
    };

    it('goes from created through running to exited, and tells it in order', async () => {
      const { containers } = bed;
      const events: string[] = [];
      const stop = containers.observe(({ type, status }) => events.push(`${status.id} ${type} ${status.state}`));
      assert.equal((await containers.create(bed.spec('life', ['sh', '-c', 'exit 7'], { labels: { a: 'b' } }))).state, 'created');
      const waited = containers.wait('life');
      await containers.start('life');
      assert.equal((await waited).code, 7);
      assert.equal((await containers.wait('life')).code, 7);
      const { state, exit, labels, pid } = containers.get('life')!;
      assert.deepEqual([state, exit!.code, exit!.oomKilled, labels, pid], ['exited', 7, false, { a: 'b' }, undefined]);
      await containers.remove('life');
      await containers.remove('life');
      stop();
      assert.deepEqual(events, ['life created created', 'life started running', 'life exited exited', 'life removed exited']);
      assert.equal(containers.get('life'), undefined);
    });

    it('refuses what its state does not allow', async () => {
      const { containers } = bed;
      await containers.create(bed.spec('state', ['sleep', '100']));
      await assert.rejects(containers.create(bed.spec('state', ['true'])), kind('already-exists'));
      await assert.rejects(containers.create(bed.spec('a/b', ['true'])), kind('invalid'));
      await assert.rejects(containers.kill('state', 9), kind('conflict'));
      await assert.rejects(containers.pause('state'), kind('conflict'));
      await containers.start('state');
      await assert.rejects(containers.start('state'), kind('conflict'));
      await assert.rejects(containers.resume('state'), kind('conflict'));
      await containers.remove('state');
      await assert.rejects(async () => containers.wait('state'), kind('not-found'));
      await assert.rejects(containers.start('state'), kind('not-found'));
    });

    it('says with 127 that a program is not there, and leaves nothing', async () => {
      await assert.rejects(bed.containers.create(bed.spec('none', ['nosuch'])), (error) => {
        assert.ok(isFault(error, 'invalid'));
        assert.equal(error.details['exitCode'], 127);
        return /executable file not found/.test(error.message);
      });
      assert.equal(bed.containers.get('none'), undefined);
    });

    it('stops politely, then by force', async () => {
      const { containers } = bed;
      await run('polite', ['sh', '-c', 'trap "exit 5" TERM; while :; do sleep 0.02; done']);
      await sleep(150);
      assert.equal((await containers.stop('polite', { signal: 15, timeoutMs: 10_000 })).code, 5);
      await run('deaf', ['sleep', '100']);
      assert.equal((await containers.stop('deaf', { signal: 15, timeoutMs: 50 })).code, 137);
      assert.equal((await containers.stop('deaf', { signal: 15, timeoutMs: 50 })).code, 137);
      for (const id of ['polite', 'deaf']) await containers.remove(id);
    });

    it('lists by owner; pauses and resumes; gives up waiting', async () => {
      const { containers } = bed;
      await run('mine', ['sleep', '100'], { owner: 'me' });
      assert.deepEqual(containers.list({ owner: 'me' }).map(({ id }) => id), ['mine']);
      await containers.pause('mine');
      assert.equal(containers.get('mine')!.state, 'paused');
      await containers.resume('mine');
      assert.equal(containers.get('mine')!.state, 'running');
      const abort = new AbortController();
      const waited = containers.wait('mine', abort.signal);
      abort.abort(new Error('enough'));
      await assert.rejects(waited, /enough/);
      await containers.remove('mine');
    });

    it('ends one that is paused in the very moment of its kill, its stop or its removal', async () => {
      const { containers } = bed;
      const ends: ((id: string) => Promise<unknown>)[] = [
        (id) => containers.kill(id, 9),
        (id) => containers.stop(id, { signal: 9, timeoutMs: 0 }),
        (id) => containers.remove(id),
      ];
      for (const [i, end] of ends.entries()) {
        const id = `frozen-${i}`;
        await run(id, ['sleep', '100']);
        const exit = containers.wait(id);
        const paused = containers.pause(id).catch(() => {});
        await end(id);
        await paused;
        assert.equal((await exit).code, 137);
        await containers.remove(id);
      }
    });

    it('streams to and from the main process and execs', async () => {
      const { containers } = bed;
      await containers.create(bed.spec('echo', ['echo', 'hello']));
      const streams = await containers.attach('echo');
      const output = collectOutput(streams);
      await containers.start('echo');
      assert.equal((await output).stdout, 'hello\n');
      await containers.remove('echo');

      await run('host', ['sleep', '100']);
      const process = { args: ['cat'], env: ['PATH=/bin'], cwd: '/', user: { uid: 0, gid: 0 } };
      const cat = await containers.exec('host', { process, stdin: true, attach: true });
      const seen = collectOutput(cat.streams!);
      await cat.streams!.write(Buffer.from('typed'));
      cat.streams!.endInput();
      assert.equal((await cat.exited).code, 0);
      assert.equal((await seen).stdout, 'typed');
      const long = await containers.exec('host', { process: { ...process, args: ['sleep', '100'] }, attach: false });
      await containers.kill('host', 9);
      assert.equal((await long.exited).code, 137);
      await containers.remove('host');
    });
  });
}
