/** At the daemon's start: finds the containers that run, the ends that nobody saw, and what was half made. */
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { forEachLimit } from '#lib/async.ts';
import { bundleAt, readExit, readPid } from './bundle.ts';
import { execPrefix } from './exec.ts';
import type { Bundle } from './bundle.ts';
import type { ConmonContainers } from './containers.ts';
import type { ContainerParts } from './parts.ts';
import type { ContainerRecord } from './record.ts';
import { sigkill } from './conmon/spawn.ts';

/** Containers that are looked at side by side. */
const recoverLimit = 16;

export async function recover(parts: ContainerParts, containers: ConmonContainers): Promise<void> {
  await forEachLimit(parts.records.list(), recoverLimit, (record) => recoverOne(parts, containers, record));
  for (const id of readdirSync(parts.bundles)) {
    if (parts.records.get(id) || parts.records.damaged.has(id)) continue;
    await discard(parts, containers, { id, cgroup: `${parts.instance}/lost/${id}` }, containers.bundleOf(id)).catch((error: unknown) => {
      parts.log.error('cannot remove what is left of a container; trying again at the next start', { id, error });
    });
  }
}

async function recoverOne(parts: ContainerParts, containers: ConmonContainers, record: ContainerRecord): Promise<void> {
  const bundle = containers.bundleOf(record.id);
  if (record.exit) {
    containers.entries.add(record, bundle, undefined);
    return;
  }
  const sameBoot = record.bootId === parts.bootId;
  const pid = readPid(bundle.pidFile);
  const conmonPid = readPid(bundle.conmonPidFile);
  if (pid === undefined || conmonPid === undefined) {
    parts.log.warn('removing a container that was only half made', { id: record.id });
    await discard(parts, containers, record, bundle);
    return;
  }
  const isWatched = supervises(conmonPid, bundle);
  // the daemon's end came between the process's start and the record of it
  if (record.startedAt === undefined && parts.runtime.wasStarted(record.id)) record = await parts.records.update(record.id, (known) => ({ ...known, startedAt: known.createdAt }));
  // its supervisor did not outlive the daemon's end either, and nothing of it has run
  if (sameBoot && !isWatched && record.startedAt === undefined && !readExit(bundle) && (await parts.runtime.state(record.id)) === 'created') {
    parts.log.warn('removing a container that was made and not started, with no supervisor', { id: record.id });
    await discard(parts, containers, record, bundle);
    return;
  }
  const { processes } = parts.kernel;
  const entry = containers.entries.add(record, bundle, { pid, startTime: sameBoot ? processes.startTime(pid) : undefined, conmonPid });
  if (!sameBoot || readExit(bundle) || !isWatched) {
    await containers.settle(entry);
    containers.entries.found(entry);
    return;
  }
  sweepExecs(bundle);
  containers.watch(entry);
}

/** Removes what is left of further processes with a terminal that have ended: those whose supervisor lives run on, unattended. */
function sweepExecs({ directory }: Bundle): void {
  for (const name of readdirSync(directory)) {
    if (!name.startsWith(execPrefix)) continue;
    const exec = bundleAt(join(directory, name));
    const conmonPid = readPid(exec.conmonPidFile);
    if (conmonPid === undefined || !supervises(conmonPid, exec)) rmSync(exec.directory, { recursive: true, force: true });
  }
}

async function discard(parts: ContainerParts, containers: ConmonContainers, record: Pick<ContainerRecord, 'id' | 'cgroup'>, bundle: Bundle): Promise<void> {
  const conmonPid = readPid(bundle.conmonPidFile);
  await containers.destroy(record, bundle);
  if (conmonPid !== undefined && supervises(conmonPid, bundle)) parts.kernel.processes.kill(conmonPid, sigkill);
}

/** Whether the process is the conmon of this bundle: pids are used again. */
function supervises(conmonPid: number, bundle: Bundle): boolean {
  try {
    return readFileSync(`/proc/${conmonPid}/cmdline`, 'utf8').split('\0').includes(bundle.directory);
  } catch {
    return false;
  }
}
