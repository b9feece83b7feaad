import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { forgetForwarding } from '#core/networks/foreign.ts';
import { linkNames } from '#core/networks/links.ts';
import type { Clock } from '#lib/clock.ts';
import { isFault } from '#lib/errors.ts';
import type { Kernel } from '#sys/types.ts';
import { cgroupOf, isLinkOf, tableMark } from './names.ts';

/** What names an instance on disk and in the kernel. */
export interface Instance {
  root: string;
  instance: string;
}

/** Milliseconds for containers to end after SIGTERM, and for what is left to be gone after SIGKILL. */
const graceMs = 10_000;
const goneMs = 10_000;
const SIGTERM = 15;
const SIGKILL = 9;

/**
 * Takes an instance out of the kernel, with no daemon: containers end (SIGTERM, then SIGKILL), and mounts,
 * namespaces, links, tables and cgroups go. Found by the instance's names alone, so it works after any crash.
 */
export async function teardown(config: Instance, kernel: Kernel, clock: Clock): Promise<void> {
  await endContainers(config, kernel, clock);
  await endSupervisors(config, kernel, clock);
  kernel.mounts.unmountTree(config.root);
  for (const table of kernel.nft.tables()) if (tableMark(config.instance, table)) kernel.nft.run(`delete table ${table}`);
  forgetForwarding(kernel.nft, linkNames(config.instance).defaultBridge);
  const netlink = kernel.netlinks.open();
  try {
    for (const link of netlink.links()) if (isLinkOf(config.instance, link.name)) netlink.deleteLink(link.name);
  } finally {
    netlink.close();
  }
  await kernel.cgroups.remove(cgroupOf(config.instance));
}

/** All state on disk, once `teardown` is done. */
export function removeState(root: string): void {
  rmSync(root, { recursive: true, force: true });
}

async function endContainers(config: Instance, kernel: Kernel, clock: Clock): Promise<void> {
  const inits = supervisors(config).flatMap((pid) => childrenOf(pid));
  for (const pid of inits) signal(kernel, pid, SIGTERM);
  await untilGone(inits, kernel, clock, graceMs);
  for (const pid of inits) signal(kernel, pid, SIGKILL);
  await untilGone(inits, kernel, clock, goneMs);
}

/** conmon ends by itself once its container's exit is written. */
async function endSupervisors(config: Instance, kernel: Kernel, clock: Clock): Promise<void> {
  const left = supervisors(config);
  await untilGone(left, kernel, clock, goneMs);
  for (const pid of left) signal(kernel, pid, SIGKILL);
  await untilGone(left, kernel, clock, goneMs);
}

/** The conmon processes that have this root on their command line. */
function supervisors(config: Instance): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      const words = read(`/proc/${pid}/cmdline`).split('\0');
      return words[0]?.endsWith('conmon') === true && words.some((w) => w.startsWith(`${config.root}/`));
    });
}

function childrenOf(pid: number): number[] {
  return read(`/proc/${pid}/task/${pid}/children`).split(' ').filter(Boolean).map(Number);
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // it has ended meanwhile
  }
}

function signal(kernel: Kernel, pid: number, number: number): void {
  try {
    kernel.processes.kill(pid, number);
  } catch (error) {
    if (!isFault(error, 'not-found')) throw error;
  }
}

async function untilGone(pids: readonly number[], kernel: Kernel, clock: Clock, limitMs: number): Promise<void> {
  const limit = new AbortController();
  const timer = clock.after(limitMs, () => limit.abort());
  await Promise.allSettled(pids.map((pid) => kernel.processes.ended(pid, limit.signal)));
  timer.cancel();
}
