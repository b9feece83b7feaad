import { isFault } from '#lib/errors.ts';
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { Cgroups } from './types.ts';

export interface CgroupsUnderTest {
  cgroups: Cgroups;
  /** A name that nobody else uses. */
  name: string;
  /** A process that sleeps. */
  start: () => number;
  alive: (pid: number) => boolean;
  release: () => void;
}

/** What every implementation of `Cgroups` does. */
export function cgroupsSuite(name: string, make: () => CgroupsUnderTest): void {
  describe(`cgroups: ${name}`, () => {
    let under: CgroupsUnderTest;
    let cgroups: Cgroups;
    beforeEach(() => {
      under = make();
      cgroups = under.cgroups;
    });
    afterEach(async () => {
      under.release();
      await cgroups.remove(under.name);
    });

    it('makes a group, moves processes into it, and removes it with them', async () => {
      const child = `${under.name}/a/b`;
      assert.equal(cgroups.exists(child), false);
      cgroups.create(child);
      cgroups.create(child);
      assert.equal(cgroups.exists(child), true);
      const [one, two] = [under.start(), under.start()];
      cgroups.addProcess(child, one);
      cgroups.addProcess(`${under.name}/c`, two);
      assert.deepEqual([cgroups.processes(child), cgroups.of(one), cgroups.of(two)], [[one], child, `${under.name}/c`]);
      await cgroups.remove(under.name);
      assert.deepEqual([under.alive(one), under.alive(two), cgroups.exists(under.name)], [false, false, false]);
      await cgroups.remove(under.name);
      assert.deepEqual(cgroups.processes(child), []);
    });

    it('freezes and thaws, and removes what is frozen', async () => {
      const pid = under.start();
      cgroups.addProcess(under.name, pid);
      await cgroups.freeze(under.name, true);
      await cgroups.freeze(under.name, false);
      assert.equal(under.alive(pid), true);
      await cgroups.freeze(under.name, true);
      await cgroups.remove(under.name);
      assert.equal(under.alive(pid), false);
      await assert.rejects(cgroups.freeze(under.name, true), (error) => isFault(error, 'not-found'));
    });

    it('sets limits, takes them away, and says what is used', () => {
      const mebibyte = 1 << 20;
      cgroups.create(under.name);
      cgroups.addProcess(under.name, under.start());
      cgroups.update(under.name, { memoryBytes: 64 * mebibyte, pids: 50, cpuQuota: 50_000, cpuPeriod: 100_000, cpuShares: 512 });
      const usage = cgroups.usage(under.name);
      assert.deepEqual([usage?.memoryLimit, usage?.pidsLimit, usage?.pids], [64 * mebibyte, 50, 1]);
      cgroups.update(under.name, { memoryBytes: 128 * mebibyte });
      cgroups.update(under.name, { pids: -1, cpuQuota: -1 });
      const after = cgroups.usage(under.name);
      assert.deepEqual([after?.memoryLimit, after?.pidsLimit], [128 * mebibyte, undefined]);
      assert.equal(cgroups.usage(`${under.name}/none`), undefined);
      assert.throws(() => cgroups.update(`${under.name}/none`, { pids: 1 }), (error) => isFault(error, 'not-found'));
    });

    it('refuses names that lead elsewhere', () => {
      for (const wrong of ['', '/', '..', 'a/../../b', './a', 'a\nb']) assert.throws(() => cgroups.create(wrong), (error) => isFault(error, 'invalid'), wrong);
    });
  });
}
