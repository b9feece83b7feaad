import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { defaultGraceSeconds, readStop } from '#core/containers/bundle.ts';
import type { Stop } from '#core/containers/bundle.ts';
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

/** Milliseconds for what is left to be gone after SIGKILL. */
const goneMs = 10_000;
const SIGKILL = 9;

/**
 * Takes an instance out of the kernel, with no daemon: agents of its nodes end, containers end (each by its stop signal, and after its stop
 * timeout by SIGKILL), and mounts, namespaces, links, tables and cgroups go. Found by the instance's names and the containers' bundles
 * alone, so it works after any crash. `say`: what is waited for, where that may take long.
 */
export async function teardown(config: Instance, kernel: Kernel, clock: Clock, say: (text: string) => void = () => {}): Promise<void> {
  await Promise.all(agentsBelow(config.root).map((pid) => endProcess(pid, kernel.processes, clock)));
  await endContainers(config, kernel, clock, say);
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

async function endContainers(config: Instance, kernel: Kernel, clock: Clock, say: (text: string) => void): Promise<void> {
  const all = supervisors(config).map(({ pid, bundle }) => ({ inits: childrenOf(pid), stop: readStop(bundle) }));
  const longest = Math.max(...all.map(({ stop }) => stop.graceMs)) / 1000;
  if (longest > defaultGraceSeconds) say(`ending ${all.length} containers; the longest stop timeout is ${longest === Infinity ? 'none: for as long as it takes' : `${longest} s`}`);
  await Promise.all(all.map(({ inits, stop }) => endContainer(inits, stop, kernel, clock)));
}

async function endContainer(inits: readonly number[], stop: Stop, { processes, cgroups }: Kernel, clock: Clock): Promise<void> {
  for (const pid of inits) signal(processes, pid, stop.signal);
  // a paused one hears nothing; one whose group is on its way out need not
  if (stop.cgroup !== undefined && cgroups.exists(stop.cgroup)) await cgroups.freeze(stop.cgroup, false).catch(() => {});
  await untilGone(inits, processes, clock, stop.graceMs);
  for (const pid of inits) signal(processes, pid, SIGKILL);
  await untilGone(inits, processes, clock, goneMs);
}

/** conmon ends by itself once its container's exit is written. */
async function endSupervisors(config: Instance, kernel: Kernel, clock: Clock): Promise<void> {
  const left = supervisors(config).map(({ pid }) => pid);
  await untilGone(left, kernel.processes, clock, goneMs);
  for (const pid of left) signal(kernel.processes, pid, SIGKILL);
  await untilGone(left, kernel.processes, clock, goneMs);
}

/** A conmon. */
interface Supervisor {
  pid: number;
  /** The directory of what it supervises, a container or a further process of one. */
  bundle: string;
}

/** The conmon processes that have this root on their command line. */
function supervisors(config: Instance): Supervisor[] {
  const bundleOf = (words: readonly string[]): string => words[words.indexOf('-b') + 1] ?? '';
  const isOurs = (words: readonly string[]): boolean => words[0]?.endsWith('conmon') === true && bundleOf(words).startsWith(`${config.root}/`);
  return processesWhere(isOurs).map((pid) => ({ pid, bundle: bundleOf(readOr(`/proc/${pid}/cmdline`).split('\0')) }));
}

function childrenOf(pid: number): number[] {
  return readOr(`/proc/${pid}/task/${pid}/children`).split(' ').filter(Boolean).map(Number);
}

/** The directories of the nodes of a root that are agents. */
function nodesOf(root: string): string[] {
  const directory = join(root, 'nodes');
  return existsSync(directory) ? readdirSync(directory).map((name) => join(directory, name)) : [];
}
