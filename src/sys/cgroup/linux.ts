import { Backoff } from '#lib/backoff.ts';
import type { Clock } from '#lib/clock.ts';
import { codeOf, Fault, isFault } from '#lib/errors.ts';
import { existsSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf, faulting, nodeFault } from '../errno.ts';
import type { Mounts } from '../mount/types.ts';
import type { Driver } from './driver.ts';
import { groupsBelow, nameParts, readControl, readPids, writeControl } from './files.ts';
import type { Hierarchy, Layout } from './layout.ts';
import { layoutOf, parseMembership } from './layout.ts';
import { mountMissing } from './missing.ts';
import type { Cgroups } from './types.ts';
import { v1Driver } from './v1.ts';
import { v2Driver } from './v2.ts';

/** How long `remove` and `freeze` wait for the kernel, in milliseconds. */
const patienceMs = 10_000;
const firstWaitMs = 1;
const longestWaitMs = 50;
/** Where a v1 process's group is looked up first. */
const telling = ['pids', 'memory', 'cpu', 'devices', 'freezer'];

export interface LinuxCgroupsOptions {
  mounts: Mounts;
  clock: Clock;
  /** Instead of what the mount table says. */
  layout?: Layout;
  /** Where processes are looked up; `/proc`. */
  proc?: string;
  removeDirectory?: (path: string) => void;
}

export function linuxCgroups(options: LinuxCgroupsOptions): Cgroups {
  return new LinuxCgroups(options);
}

class LinuxCgroups implements Cgroups {
  #options: LinuxCgroupsOptions;
  #proc: string;
  #found: { layout: Layout; driver: Driver } | undefined;

  constructor(options: LinuxCgroupsOptions) {
    this.#options = options;
    this.#proc = options.proc ?? '/proc';
  }

  version(): 1 | 2 {
    return this.#layout.version;
  }

  controllers(): string[] {
    return [...new Set(this.#hierarchies.flatMap((each) => each.controllers))];
  }

  mountMissing(): string[] {
    const mounted = mountMissing(this.#options.mounts, this.#layout, `${this.#proc}/cgroups`);
    if (mounted.length > 0) this.#found = undefined;
    return mounted;
  }

  create(name: string): void {
    const parts = nameParts(name);
    for (const hierarchy of this.#hierarchies) this.#driver.make(hierarchy, parts);
  }

  addProcess(name: string, pid: number): void {
    this.create(name);
    for (const directory of this.#directories(name)) writeControl(directory, 'cgroup.procs', String(pid));
  }

  processes(name: string): number[] {
    return [...new Set(this.#directories(name).flatMap(readPids))].sort((a, b) => a - b);
  }

  exists(name: string): boolean {
    return this.#directories(name).some((directory) => existsSync(directory));
  }

  async remove(name: string): Promise<void> {
    const directories = this.#directories(name);
    let stuck = '';
    const gone = await this.#eventually(() => {
      const groups = directories.flatMap(groupsBelow);
      if (groups.length === 0) return true;
      this.#killIn(name, groups);
      stuck = this.#removeEmpty(groups);
      return stuck === '';
    });
    if (!gone) throw new Fault('timeout', `the control group ${name} is still in use after ${patienceMs / 1000} s (${stuck}); see which processes hold it with: cat ${stuck}/cgroup.procs`);
  }

  async freeze(name: string, frozen: boolean): Promise<void> {
    const clean = nameParts(name).join('/');
    if (!this.exists(name)) throw new Fault('not-found', `there is no control group ${name}`);
    this.#driver.freeze(clean, frozen);
    const done = await this.#eventually(() => {
      if (this.#driver.isFrozen(clean) === frozen) return true;
      // v1 falls short while processes fork: asking again goes on where it stopped.
      if (this.#layout.version === 1) this.#driver.freeze(clean, frozen);
      return false;
    });
    if (!done) throw new Fault('timeout', `the control group ${name} did not ${frozen ? 'freeze' : 'thaw'} within ${patienceMs / 1000} s`);
  }

  usage(name: string): ReturnType<Cgroups['usage']> {
    return this.#driver.usage(nameParts(name).join('/'));
  }

  update(name: string, limits: Parameters<Cgroups['update']>[1]): void {
    if (!this.exists(name)) throw new Fault('not-found', `there is no control group ${name}`);
    this.#driver.update(nameParts(name).join('/'), limits);
  }

  of(pid: number): string {
    const text = faulting(`look up the control group of process ${pid}`, () => readFileSync(`${this.#proc}/${pid}/cgroup`, 'utf8'));
    const groups = parseMembership(text);
    const controller = this.#layout.version === 2 ? '' : telling.find((each) => groups.has(each)) ?? '';
    const hierarchy = this.#hierarchies.find((each) => (controller === '' ? each.unified : each.controllers.includes(controller)));
    const group = groups.get(controller) ?? '/';
    const below = hierarchy && hierarchy.root !== '/' && group.startsWith(hierarchy.root) ? group.slice(hierarchy.root.length) : group;
    return below.replace(/^\/+/, '');
  }

  get #layout(): Layout {
    return this.#look().layout;
  }

  get #driver(): Driver {
    return this.#look().driver;
  }

  get #hierarchies(): Hierarchy[] {
    return this.#look().layout.hierarchies;
  }

  #look(): { layout: Layout; driver: Driver } {
    if (!this.#found) {
      const layout = this.#options.layout ?? layoutOf(this.#options.mounts.list(), (path) => (readControl(path, 'cgroup.controllers') ?? '').split(' ').filter((each) => each !== ''));
      this.#found = { layout, driver: layout.version === 2 ? v2Driver(layout) : v1Driver(layout) };
    }
    return this.#found;
  }

  #directories(name: string): string[] {
    const path = nameParts(name).join('/');
    return this.#hierarchies.map((hierarchy) => join(hierarchy.path, path));
  }

  #killIn(name: string, groups: readonly string[]): void {
    const pids = new Set(groups.flatMap(readPids));
    if (pids.has(process.pid)) throw new Fault('conflict', `the control group ${name} cannot be removed: this process is in it`);
    if (pids.size === 0) return;
    const clean = nameParts(name).join('/');
    // On v1 a frozen process is not ended by SIGKILL until it is thawed.
    if (this.#layout.version === 1) for (const group of groups) if (readControl(group, 'freezer.state')?.startsWith('FR')) writeControl(group, 'freezer.state', 'THAWED');
    if (this.#driver.killAll(clean)) return;
    for (const pid of pids) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch (error) {
        if (codeOf(error) !== 'ESRCH') throw nodeFault(error, `end process ${pid}`);
      }
    }
  }

  /** Removes groups, children first; the first that is still in use, or ''. */
  #removeEmpty(groups: readonly string[]): string {
    const remove = this.#options.removeDirectory ?? rmdirSync;
    let busy = '';
    for (const group of groups.toReversed()) {
      try {
        faulting(`remove the control group ${group}`, () => remove(group));
      } catch (error) {
        if (isFault(error, 'not-found')) continue;
        if (!['EBUSY', 'ENOTEMPTY'].includes(errnoOf(error) ?? '')) throw error;
        busy ||= group;
      }
    }
    return busy;
  }

  async #eventually(done: () => boolean): Promise<boolean> {
    const { clock } = this.#options;
    const end = clock.monotonic() + BigInt(patienceMs) * 1_000_000n;
    const wait = new Backoff(firstWaitMs, longestWaitMs);
    while (!done()) {
      if (clock.monotonic() > end) return false;
      await clock.sleep(wait.next());
    }
    return true;
  }
}
