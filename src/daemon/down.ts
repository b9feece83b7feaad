import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { readDaemonFile } from '#client/control/client.ts';
import { systemClock } from '#lib/clock.ts';
import { Fault } from '#lib/errors.ts';
import { linuxKernel } from '#sys/linux.ts';
import type { Kernel } from '#sys/types.ts';
import { instanceName, parseRoot } from './config.ts';
import { endProcess } from './ending.ts';
import { lockHolder, lockRoot } from './lock.ts';
import { removeState, teardown } from './teardown.ts';
import { runningDaemon } from './up.ts';

/** Stops the daemon, its nodes and their containers; with `--purge`, all its state goes too. */
export async function down(args: readonly string[]): Promise<number> {
  const say = (text: string): void => void process.stderr.write(`${text}\n`);
  if (process.getuid?.() !== 0) throw new Fault('forbidden', 'down needs root: run it with sudo');
  const { root, values } = parseRoot(args, process.env, { purge: { type: 'boolean' } });
  const instance = instanceName(root);
  // a directory that is not Gantry's stays as it is
  if (!existsSync(join(root, 'run'))) {
    say(`there is no Gantry at ${root}`);
    return 0;
  }
  const kernel = linuxKernel();
  const socket = readDaemonFile(root)?.docker;
  await endDaemon(root, kernel);
  const lock = lockRoot(root, kernel);
  await teardown({ root, instance }, kernel, systemClock, say);
  rmSync(join(root, 'run', 'daemon.json'), { force: true });
  if (socket !== undefined) rmSync(socket, { force: true });
  if (values.purge) removeState(root);
  lock.release();
  say(values.purge ? `Gantry is down, and all of ${root} is removed` : `Gantry is down; its state stays in ${root}`);
  return 0;
}

/** Ends the daemon of a root, be it ready or still starting. */
async function endDaemon(root: string, { processes }: Kernel): Promise<void> {
  const pid = lockHolder(root, processes) ?? runningDaemon(root, processes)?.pid;
  if (pid !== undefined) await endProcess(pid, processes, systemClock);
}
