/**
 * Further processes in a running container. One whose client is attached, without a terminal, is the runtime's own child
 * and ours (piped.ts). Others, which have a terminal or outlive the daemon, have a conmon of their own.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RuntimeProcess } from '#api/oci/runtime.ts';
import { Fault } from '#lib/errors.ts';
import type { Kernel } from '#sys/types.ts';
import { bundleAt } from './bundle.ts';
import { capabilityNames } from './capabilities.ts';
import { resizeTerminal } from './conmon/control.ts';
import { parseSync, sigkill, spawnConmon } from './conmon/spawn.ts';
import type { Conmon, ConmonPaths } from './conmon/spawn.ts';
import { streamsOf } from './conmon/streams.ts';
import { startPiped } from './piped.ts';
import { createFailure } from './runtime.ts';
import { buildProcess } from './spec/build.ts';
import type { SpecHost } from './spec/host.ts';
import type { ExecSession, ExecSpec, Streams } from './types.ts';

/** Where a process's end was not seen: it ended with its supervisor. */
const lostCode = 255;

/** Names the bundles of such processes, within their container's. */
export const execPrefix = 'exec-';

export interface ExecTarget {
  id: string;
  directory: string;
  /** Of the container. */
  capabilities: readonly string[];
}

export async function startExec(kernel: Kernel, paths: ConmonPaths, host: SpecHost, target: ExecTarget, spec: ExecSpec): Promise<ExecSession> {
  const wanted = spec.privileged ? capabilityNames : (spec.process.capabilities ?? target.capabilities);
  const process = buildProcess(spec.process, wanted, host);
  if (spec.attach && !spec.process.terminal) return startPiped(kernel, paths, { id: target.id, process, stdin: spec.stdin ?? false });
  return startSupervised(kernel, paths, target, spec, process);
}

async function startSupervised(kernel: Kernel, paths: ConmonPaths, target: ExecTarget, spec: ExecSpec, process: RuntimeProcess): Promise<ExecSession> {
  const directory = mkdtempSync(join(target.directory, execPrefix));
  const bundle = bundleAt(directory);
  const processFile = join(directory, 'process.json');
  writeFileSync(processFile, JSON.stringify(process), { mode: 0o600 });
  const conmon = spawnConmon(kernel.processes, paths, {
    id: target.id,
    bundle,
    terminal: spec.process.terminal ?? false,
    stdin: spec.stdin ?? false,
    leaveStdinOpen: false,
    logPath: undefined,
    exec: { processFile, attach: spec.attach },
  });
  const end = (): void => {
    conmon.release();
    rmSync(directory, { recursive: true, force: true });
  };
  let streams: Streams | undefined;
  try {
    conmon.proceed();
    await conmon.forked;
    if (conmon.attach) {
      const ready = await conmon.attach.next();
      if (ready === undefined) throw new Fault('internal', `exec in container ${target.id}: ${conmon.errors() || 'conmon ended early'}`);
      streams = streamsOf(await kernel.seqpackets.connect(bundle.attachSocket));
      conmon.proceed();
    }
    const pid = await pidOf(conmon, spec.process.args[0]!);
    const startTime = kernel.processes.startTime(pid);
    return {
      pid,
      ...(streams ? { streams } : {}),
      exited: exitOf(conmon, () => killProcess(kernel, pid, startTime)).finally(end),
      resize: async (size) => resizeTerminal(bundle.control, size),
      kill: async (signal) => kernel.processes.kill(pid, signal),
    };
  } catch (error) {
    streams?.close();
    end();
    throw error;
  }
}

async function pidOf(conmon: Conmon, command: string): Promise<number> {
  const line = await conmon.sync.next();
  if (line === undefined) throw new Fault('internal', `exec: conmon ended early: ${conmon.errors()}`);
  const { data, message } = parseSync(line);
  if (data <= 0) throw createFailure(message ?? '', command, 'exec');
  return data;
}

/** `kill` ends it where its supervisor was killed, since nobody sees it any more; false where it is gone already. */
async function exitOf(conmon: Conmon, kill: () => boolean): Promise<{ code: number }> {
  const line = await conmon.sync.next();
  if (line !== undefined) return { code: parseSync(line).data };
  return { code: kill() ? 128 + sigkill : lostCode };
}

function killProcess({ processes }: Kernel, pid: number, startTime: bigint | undefined): boolean {
  if (startTime === undefined || processes.startTime(pid) !== startTime) return false;
  processes.kill(pid, sigkill);
  return true;
}
