import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '#lib/clock.ts';
import { Fault } from '#lib/errors.ts';
import { linuxKernel } from '#sys/linux.ts';
import { parseConfig } from './config.ts';
import { removeState, teardown } from './teardown.ts';
import { runningDaemon } from './up.ts';

/** Milliseconds for the daemon to close its doors after SIGTERM, before SIGKILL. */
const closeMs = 15_000;
const SIGTERM = 15;
const SIGKILL = 9;

/** Stops the daemon and its containers; with `--purge`, all its state goes too. */
export async function down(args: readonly string[]): Promise<number> {
  const say = (text: string): void => void process.stderr.write(`${text}\n`);
  if (process.getuid?.() !== 0) throw new Fault('forbidden', 'down needs root: run it with sudo');
  const purge = args.includes('--purge');
  const config = parseConfig(args.filter((a) => a !== '--purge'), process.env);
  if (!existsSync(config.root)) {
    say(`there is no Gantry at ${config.root}`);
    return 0;
  }
  const kernel = linuxKernel();
  const running = runningDaemon(config.root, kernel.processes);
  if (running) {
    kernel.processes.kill(running.pid, SIGTERM);
    const limit = new AbortController();
    const timer = systemClock.after(closeMs, () => limit.abort());
    await kernel.processes.ended(running.pid, limit.signal).catch(() => kernel.processes.kill(running.pid, SIGKILL));
    timer.cancel();
  }
  await teardown(config, kernel, systemClock);
  rmSync(join(config.root, 'run', 'daemon.json'), { force: true });
  if (purge) removeState(config);
  say(purge ? `Gantry is down, and all of ${config.root} is removed` : `Gantry is down; its state stays in ${config.root}`);
  return 0;
}
