import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { forgetForwarding } from '#core/networks/foreign.ts';
import { linkNames } from '#core/networks/links.ts';
import type { Clock } from '#lib/clock.ts';
import type { Kernel } from '#sys/types.ts';
import { instanceName } from './config.ts';
import { agentsBelow, endProcess, processesWhere, readOr, signal, untilGone } from './ending.ts';
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
 * Takes an instance out of the kernel, with no daemon: agents of its nodes end, containers end (SIGTERM, then SIGKILL), and
 * mounts, namespaces, links, tables and cgroups go. Found by the instance's names alone, so it works after any crash.
 */
export async function teardown(config: Instance, kernel: Kernel, clock: Clock): Promise<void> {
  await Promise.all(agentsBelow(config.root).map((pid) => endProcess(pid, kernel.processes, clock)));
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
  for (const instance of [config.instance, ...nodesOf(config.root).map(instanceName)]) await kernel.cgroups.remove(cgroupOf(instance));
}

/** All state on disk, once `teardown` is done. */
export function removeState(root: string): void {
  rmSync(root, { recursive: true, force: true });
}

async function endContainers(config: Instance, kernel: Kernel, clock: Clock): Promise<void> {
  const inits = supervisors(config).flatMap((pid) => childrenOf(pid));
  for (const pid of inits) signal(kernel.processes, pid, SIGTERM);
  await untilGone(inits, kernel.processes, clock, graceMs);
  for (const pid of inits) signal(kernel.processes, pid, SIGKILL);
  await untilGone(inits, kernel.processes, clock, goneMs);
}

/** conmon ends by itself once its container's exit is written. */
async function endSupervisors(config: Instance, kernel: Kernel, clock: Clock): Promise<void> {
  const left = supervisors(config);
  await untilGone(left, kernel.processes, clock, goneMs);
  for (const pid of left) signal(kernel.processes, pid, SIGKILL);
  await untilGone(left, kernel.processes, clock, goneMs);
}

/** The conmon processes that have this root on their command line. */
function supervisors(config: Instance): number[] {
  return processesWhere((words) => words[0]?.endsWith('conmon') === true && words.some((w) => w.startsWith(`${config.root}/`)));
}

function childrenOf(pid: number): number[] {
  return readOr(`/proc/${pid}/task/${pid}/children`).split(' ').filter(Boolean).map(Number);
}

/** The directories of the nodes of a root that are agents. */
function nodesOf(root: string): string[] {
  const directory = join(root, 'nodes');
  return existsSync(directory) ? readdirSync(directory).map((name) => join(directory, name)) : [];
}
